package main

import (
	"fmt"

	"github.com/wattle-project/wattle/simulator/known"
)

// validateCmd replays known answers.
type validateCmd struct {
	Data string `type:"path" help:"Directory of the published data; cases that need it are skipped without." env:"WATTLE_DATA"`
}

// Run prints every case and fails on a miss.
func (c *validateCmd) Run(s *streams) error {
	p := known.NewPrinter(s.out)
	if err := known.Run(s.ctx, c.Data, func(k known.Case) bool {
		p.Add(k)
		return true
	}); err != nil {
		return err
	}
	failed, err := p.Close()
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d known answers were missed", failed)
	}
	return err
}
