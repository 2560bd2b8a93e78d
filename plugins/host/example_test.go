package host_test

import (
	"fmt"

	"github.com/wattle-project/wattle/plugins/host"
)

// A plugin needs the checksum of its binary, unless that is waived in so many
// words.
func ExampleNew() {
	c := host.DefaultConfig("/usr/lib/wattle/dcgm")
	_, err := host.New(c)
	fmt.Println(err)
	c.Checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	m, err := host.New(c)
	fmt.Println(m.Name(), m.Status().State, err)
	// Output:
	// plugin dcgm: no checksum; set the output of sha256sum /usr/lib/wattle/dcgm, or allow unverified plugins
	// dcgm stopped <nil>
}
