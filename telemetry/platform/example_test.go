package platform_test

import (
	"fmt"

	"github.com/wattle-project/wattle/telemetry/platform"
)

func ExampleParseDCMI() {
	w, err := platform.ParseDCMI([]byte("Instantaneous power reading: 220 Watts\nPower reading state is: activated\n"))
	fmt.Println(w, err)
	// Output:
	// 220W <nil>
}
