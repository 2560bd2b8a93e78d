//go:build !linux

package main

import "time"

const burnEnv = "WATTLE_TEST_BURN"

func burnFor(time.Duration) {}
