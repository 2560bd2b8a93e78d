package record_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wattle-project/wattle"
	"github.com/wattle-project/wattle/telemetry"
	"github.com/wattle-project/wattle/telemetry/record"
)

// A recording drives a Node as the meters did; its last line is cut off.
func Example() {
	const text = `{"wattle_recording":1,"node":"n1","begun":"2026-03-01T08:00:00Z","interval":"1s","meters":[{"name":"rapl"}]}
{"at":0,"meters":[{"meter":0,"zones":[{"key":"package-0","component":"package","socket":0,"range":262143328850}],"readings":[{"zone":0,"energy":262113328851}]}]}
{"at":1000000000,"meters":[{"meter":0,"readings":[{"zone":0,"energy":10000000}]}]}
{"at":2000000000,"meters":[{"met`
	r, err := record.NewReader(strings.NewReader(text), "demo.jsonl")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	p := record.NewPlayer(r)
	node, err := telemetry.NewNode(p.Chain(), telemetry.DefaultNodeConfig(p.Header().Node))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, err := p.Next(); err == nil; _, err = p.Next() {
		err := node.Collect(context.Background(), func(s []wattle.Sample) {
			fmt.Println(s[0].To.Format(time.TimeOnly), s[0].Device, s[0].Energy)
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(p.Truncated())
	// Output:
	// 08:00:01 package-0 40J
	// demo.jsonl:4: the last line is cut off after 32 bytes and is left out
}
