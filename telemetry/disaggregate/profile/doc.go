// Package profile is the file format of what was learned of functions: watts,
// joules per invocation and seconds, cold and warm, with intervals.
//
// A file is one JSON object. Unknown keys are errors; numbers are in the unit
// that their name ends in.
//
//	{
//	  "wattle_profiles": 1,
//	  "node": "n1",                      // where it was learned
//	  "hardware": "skylake",             // processor generation, "" if not known
//	  "program": "wattle-agent 0.4.0",
//	  "sources": ["rapl"],               // of the energy; "model" is no meter
//	  "from": "…", "to": "…",            // the window
//	  "meter_noise": 0.02,               // relative error of a step, one σ
//	  "idle_watts": 41.5,                // of the machine, mean over the window
//	  "remarks": ["shop/poll: …"],       // on functions whose figures are too low
//	  "functions": [{
//	    "function": "shop/resize",
//	    "cpu_milli": 500, "memory_bytes": 268435456,
//	    "warm": {
//	      "invocations": 1234,           // that ended in the window
//	      "seconds": 0.31,               // mean busy time of one
//	      "watts": {"value": 12.1, "low": 11.8, "high": 12.4},
//	      "joules": {"value": 3.75, "low": 3.66, "high": 3.84},
//	      "control_plane_joules": 0.02, "idle_joules": 0.4,
//	      "steps": 117                   // intervals in which it ran
//	    },
//	    "cold": { … }                    // start-up and the run after it
//	  }]
//	}
//
// "watts" and "joules" are dynamic: what the function adds to the machine at
// rest. Intervals hold 95 %. The shares of the control plane and of idle energy
// stand beside them, because who bears them is a choice.
package profile
