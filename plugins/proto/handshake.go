package proto

import plugin "github.com/hashicorp/go-plugin"

// Version is the protocol version that this module speaks.
const Version = 1

// MeterPlugin is the name under which a process serves its meter.
const MeterPlugin = "meter"

// Handshake tells a wattle plugin from any other program. The cookie is no
// secret: it only keeps users from starting a plugin by hand.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{
		ProtocolVersion:  Version,
		MagicCookieKey:   "WATTLE_PLUGIN",
		MagicCookieValue: "6a1f0c5d-meter",
	}
}
