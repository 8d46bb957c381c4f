// Package exec runs graphs. A Session is made once from a model: the graph is inferred, folded and compiled to a list of
// steps over numbered slots. Run may be called from many goroutines at once; each call has its own slots and its own
// memory, both of which the session keeps for later runs.
//
// Memory inside a run is reference-counted: a tensor's buffer goes back to the run's free list with the last step that
// reads it, and an operator may write its output over an input that dies with it. Views (Reshape, Squeeze, …) hold their
// own reference. What leaves a run (its outputs, elements of sequences, results of subgraphs) leaves the free list for good
// and belongs to the garbage collector.
package exec
