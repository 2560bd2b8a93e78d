package main

import "fmt"

type doctorCmd struct{ flags }

// Run explains.
func (c *doctorCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "doctor")
	return err
}
