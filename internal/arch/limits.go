package arch

// Sizes that keep code readable in one screen and one sitting.
const (
	MaxFunctionLines    = 70
	MaxFileLines        = 400
	MaxInterfaceMethods = 5
)

// vagueNames are package names that say nothing of what is inside.
func vagueNames() []string {
	return []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "misc", "shared"}
}

// clockFunctions are the functions of package time that read or wait on the
// clock of the machine.
func clockFunctions() []string {
	return []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
}

// seededRandom are the names of math/rand and math/rand/v2 that do not touch
// the global source.
func seededRandom() []string {
	return []string{"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"}
}

// outside are the packages of the standard library by which code reaches out
// of itself; everything beneath them is meant too.
func outside() []string {
	return []string{"net", "os", "syscall", "log", "plugin", "crypto/rand", "database", "io/ioutil", "runtime/debug", "C"}
}

// linkerVariables are set at build time with -ldflags -X, which works on
// package variables only.
func linkerVariables() []string { return []string{"internal/version.release"} }

// unfinished are the marks of code that is not done.
func unfinished() []string { return []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"} }

// foreignWords must not stand in the project: they speak of the place where it
// was written rather than of the project itself. Each is split here so that
// this list does not find itself.
func foreignWords() []string {
	return []string{"/wo" + "rk/", "session" + " of", "helper" + " agent"}
}
