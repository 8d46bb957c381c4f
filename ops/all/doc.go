// Package all registers every operator: import it for its side effects.
package all
