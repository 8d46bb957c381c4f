//go:build !unix

package main

import "runtime"

// peakRSS is what the Go runtime took from the system: these systems' own figure is out of the standard library's reach.
func peakRSS() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
