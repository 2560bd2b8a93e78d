// Command stranger breaks the handshake in the way that its argument names;
// "nameless" passes it and then does not say who it is.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	plugin "github.com/hashicorp/go-plugin"

	"github.com/wattle-project/wattle/plugins/proto"
	"github.com/wattle-project/wattle/plugins/sdk"
)

// nobody is a meter without a name.
type nobody struct{ sdk.Meter }

func (nobody) Capabilities() sdk.Capabilities { return sdk.Capabilities{} }

func (nobody) Read(context.Context, []sdk.Reading) ([]sdk.Reading, error) { return nil, nil }

func main() {
	hand := proto.Handshake()
	switch os.Args[1] {
	case "version":
		hand.ProtocolVersion = 99
	case "cookie":
		hand.MagicCookieKey = "SOME_OTHER_PROGRAM"
	case "silent":
		time.Sleep(time.Hour)
	case "babble":
		fmt.Println("hello, I am no plugin")
		return
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: hand, GRPCServer: plugin.DefaultGRPCServer,
		Plugins: plugin.PluginSet{proto.MeterPlugin: &sdk.Plugin{Meter: nobody{}}},
	})
}
