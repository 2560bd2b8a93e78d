// Package record writes what an agent reads to a file and plays it back, so that
// the same pipeline gives the same figures again: to look into an incident, to
// compare two versions, to learn profiles of functions away from the machine.
//
// # Format
//
// A recording is text, one JSON object a line. A name that ends in .zst or .gz
// says that the text is compressed. The first line is the Header:
//
//	{"wattle_recording":1,"node":"n1","begun":"2026-03-01T08:00:00Z","interval":"1s","meters":[{"name":"rapl"}]}
//
// Every other line is an Epoch, all that one turn of the agent's loop read:
//
//	{"at":1000000000,
//	 "meters":[{"meter":0,"zones":[{"key":"package-0","component":"package","socket":0,"range":262143328850}],
//	            "readings":[{"zone":0,"at":-12000,"energy":81234567}]}],
//	 "usage":{"of":[{"id":1,"who":{"key":"/kubepods/…"},"cpu":12000000,"memory":4096}]},
//	 "owners":[{"id":1,"namespace":"shop","pod":"resize-7f","function":"resize","cpu":500}],
//	 "invocations":[{"from":0,"to":1000000000,"runs":[{"function":"resize","count":3,"seconds":0.31}]}],
//	 "signals":[{"zone":"DE","intensity":312,"kind":"average","scope":"lifecycle", …}],
//	 "prices":[{"zone":"DE","per_mwh":84.1,"currency":"EUR", …}],
//	 "fetches":[{"feed":"carbon","provider":"neso","outcome":"ok","count":12}],
//	 "collectors":[{"name":"kubelet","up":true}]}
//
// Instants are nanoseconds since "begun" by the monotonic clock, those of
// readings since the epoch's "at"; processor time is in nanoseconds, energy in
// microjoules, memory in bytes. Zones of a meter, the identity of a cgroup,
// owners, signals, prices, fetches and collectors are written once and hold until they change.
//
// Registers are recorded raw: what to make of a wrap, a reset or a gap is decided
// when the recording is played.
//
// # Damage
//
// Every epoch is flushed to the operating system as a whole line. After a crash
// the last line may be cut off; a Reader leaves it out and says so in Truncated.
// Anything else that is not as documented here, an unknown key included, is an
// error with file and line.
package record
