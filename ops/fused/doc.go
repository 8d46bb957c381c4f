// Package fused holds operators of the domain ops.Internal that no file contains: passes put them in place of several nodes, to
// save the memory traffic between these. They know float32 only; the passes leave other types alone.
package fused
