// Package opt rewrites graphs into faster ones that compute the same.
//
// A Rule is a pattern and a function that builds what replaces it. The engine owns what makes a rewrite safe: patterns match
// commutative operators in any order; a variable that occurs twice is one value; nodes inside a match are used by nobody
// else, are no graph outputs and are captured by no subgraph, unless the rule gives their readers another value; what is built takes over name and type of what it replaces.
// Rules are tried to a fixed point. Passes stand in one table in the order in which they run, each with the reason for its
// place.
package opt
