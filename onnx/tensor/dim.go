package tensor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dim is one dimension of a type: a number, an expression over symbols (`batch`, `past + 1`, `floor(h/2)`) or unknown.
// Expressions are kept as polynomials in canonical form, so that equal ones compare equal. The zero Dim is unknown. A
// Dim may also stand for an element of a shape tensor and then be negative.
type Dim struct {
	known bool
	c     int    // constant part
	terms []term // sorted by key, coefficients not zero; nil for a number
}

// term is coef times a product of atoms.
type term struct {
	coef  int
	atoms []*atom // sorted by key
}

// atom is a symbol or a function that polynomials cannot express.
type atom struct {
	key  string // canonical text
	fn   string // "" for a symbol, else div, mod, max, min
	args [2]Dim
}

// Int returns the dimension of a number.
func Int(n int) Dim { return Dim{known: true, c: n} }

// Sym returns the dimension of a named symbol; the empty name gives an unknown one.
func Sym(name string) Dim {
	if name == "" {
		return Dim{}
	}
	return fromAtom(&atom{key: name})
}

// Dims returns numbers as dimensions.
func Dims(ns ...int) []Dim {
	out := make([]Dim, len(ns))
	for i, n := range ns {
		out[i] = Int(n)
	}
	return out
}

func fromAtom(a *atom) Dim { return Dim{known: true, terms: []term{{1, []*atom{a}}}} }

// Int returns the number if d is one.
func (d Dim) Int() (int, bool) { return d.c, d.known && len(d.terms) == 0 }

// Is reports whether d is the number n.
func (d Dim) Is(n int) bool { return d.known && len(d.terms) == 0 && d.c == n }

// Known reports whether d is a number or an expression rather than unknown.
func (d Dim) Known() bool { return d.known }

// Equal reports whether d and e are known to be equal; an unknown dimension equals nothing.
func (d Dim) Equal(e Dim) bool {
	if !d.known || !e.known || d.c != e.c || len(d.terms) != len(e.terms) {
		return false
	}
	for i, t := range d.terms {
		if t.coef != e.terms[i].coef || t.key() != e.terms[i].key() {
			return false
		}
	}
	return true
}

func (t term) key() string {
	if len(t.atoms) == 1 {
		return t.atoms[0].key
	}
	parts := make([]string, len(t.atoms))
	for i, a := range t.atoms {
		parts[i] = a.key
	}
	return strings.Join(parts, "*")
}

// String prints the expression; an unknown dimension prints as "?".
func (d Dim) String() string {
	if !d.known {
		return "?"
	}
	if len(d.terms) == 0 {
		return strconv.Itoa(d.c)
	}
	var b strings.Builder
	for i, t := range d.terms {
		c := t.coef
		switch {
		case c < 0 && i == 0:
			b.WriteByte('-')
			c = -c
		case c < 0:
			b.WriteString(" - ")
			c = -c
		case i > 0:
			b.WriteString(" + ")
		}
		if c != 1 {
			fmt.Fprintf(&b, "%d*", c)
		}
		b.WriteString(t.key())
	}
	if d.c > 0 {
		fmt.Fprintf(&b, " + %d", d.c)
	} else if d.c < 0 {
		fmt.Fprintf(&b, " - %d", -d.c)
	}
	return b.String()
}

// normal sorts, merges equal terms and drops zero ones.
func normal(c int, terms []term) Dim {
	slices.SortStableFunc(terms, func(a, b term) int { return cmp.Compare(a.key(), b.key()) })
	out := terms[:0]
	for _, t := range terms {
		if n := len(out); n > 0 && out[n-1].key() == t.key() {
			out[n-1].coef += t.coef
		} else {
			out = append(out, t)
		}
		if n := len(out); out[n-1].coef == 0 {
			out = out[:n-1]
		}
	}
	if len(out) == 0 {
		out = nil
	}
	return Dim{known: true, c: c, terms: out}
}

// maxTerms bounds the size of expressions; what would grow beyond becomes unknown.
const maxTerms = 16

// Add returns d + e.
func (d Dim) Add(e Dim) Dim {
	if !d.known || !e.known || len(d.terms)+len(e.terms) > maxTerms {
		return Dim{}
	}
	return normal(d.c+e.c, append(slices.Clone(d.terms), e.terms...))
}

// Sub returns d - e.
func (d Dim) Sub(e Dim) Dim { return d.Add(e.Mul(Int(-1))) }

// AddInt returns d + n.
func (d Dim) AddInt(n int) Dim { return d.Add(Int(n)) }

// Mul returns d · e.
func (d Dim) Mul(e Dim) Dim {
	if d.Is(0) || e.Is(0) {
		return Int(0)
	}
	if !d.known || !e.known || (len(d.terms)+1)*(len(e.terms)+1) > maxTerms {
		return Dim{}
	}
	var terms []term
	for _, t := range d.terms {
		if e.c != 0 {
			terms = append(terms, term{t.coef * e.c, t.atoms})
		}
		for _, u := range e.terms {
			atoms := append(slices.Clone(t.atoms), u.atoms...)
			slices.SortFunc(atoms, func(a, b *atom) int { return cmp.Compare(a.key, b.key) })
			terms = append(terms, term{t.coef * u.coef, atoms})
		}
	}
	for _, u := range e.terms {
		if d.c != 0 {
			terms = append(terms, term{d.c * u.coef, u.atoms})
		}
	}
	return normal(d.c*e.c, terms)
}

// Div returns floor(d / e). The result is exact where every coefficient divides; otherwise it stays a floor expression.
func (d Dim) Div(e Dim) Dim {
	if e.Is(1) {
		return d
	}
	if e.Is(0) || !d.known || !e.known {
		return Dim{}
	}
	if n, ok := e.Int(); ok && d.c%n == 0 && !slices.ContainsFunc(d.terms, func(t term) bool { return t.coef%n != 0 }) {
		q := Dim{known: true, c: d.c / n}
		for _, t := range d.terms {
			q.terms = append(q.terms, term{t.coef / n, t.atoms})
		}
		return q
	}
	if a, ok := d.Int(); ok {
		if b, ok := e.Int(); ok {
			return Int(floorDiv(a, b))
		}
	}
	if q, ok := d.divTerm(e); ok {
		return q
	}
	return apply("div", d, e)
}

// divTerm divides by a single product of symbols when every term of d contains it.
func (d Dim) divTerm(e Dim) (Dim, bool) {
	if d.c != 0 || e.c != 0 || len(e.terms) != 1 || len(d.terms) == 0 {
		return Dim{}, false
	}
	den := e.terms[0]
	q := Dim{known: true}
	var terms []term
	for _, t := range d.terms {
		if t.coef%den.coef != 0 {
			return Dim{}, false
		}
		rest := slices.Clone(t.atoms)
		for _, a := range den.atoms {
			i := slices.IndexFunc(rest, func(b *atom) bool { return a.key == b.key })
			if i < 0 {
				return Dim{}, false
			}
			rest = slices.Delete(rest, i, i+1)
		}
		if len(rest) == 0 {
			q.c += t.coef / den.coef
		} else {
			terms = append(terms, term{t.coef / den.coef, rest})
		}
	}
	return normal(q.c, terms), true
}

// CeilDiv returns ceil(d / n) for n > 0.
func (d Dim) CeilDiv(n int) Dim { return d.AddInt(n - 1).Div(Int(n)) }

// Mod returns d mod e with the sign of e.
func (d Dim) Mod(e Dim) Dim {
	if a, ok := d.Int(); ok {
		if b, ok := e.Int(); ok && b != 0 {
			return Int(a - floorDiv(a, b)*b)
		}
	}
	return apply("mod", d, e)
}

// Max returns the larger of d and e.
func (d Dim) Max(e Dim) Dim {
	if n, ok := d.Sub(e).Int(); ok {
		if n >= 0 {
			return d
		}
		return e
	}
	return apply("max", d, e)
}

// Min returns the smaller of d and e.
func (d Dim) Min(e Dim) Dim {
	if n, ok := d.Sub(e).Int(); ok {
		if n <= 0 {
			return d
		}
		return e
	}
	return apply("min", d, e)
}

// NonNegative reports whether d is known not to be negative, given that no symbol is: it has no negative coefficient.
func (d Dim) NonNegative() bool {
	if !d.known || d.c < 0 {
		return false
	}
	for _, t := range d.terms {
		if t.coef < 0 {
			return false
		}
		for _, a := range t.atoms {
			if !a.nonNegative() {
				return false
			}
		}
	}
	return true
}

func (a *atom) nonNegative() bool {
	x, y := a.args[0], a.args[1]
	switch a.fn {
	case "":
		return true
	case "mod":
		return y.NonNegative()
	case "max":
		return x.NonNegative() || y.NonNegative()
	}
	return x.NonNegative() && y.NonNegative()
}

// maxKey bounds the text of an atom, so that chains of functions do not grow without end.
const maxKey = 200

func apply(fn string, d, e Dim) Dim {
	if !d.known || !e.known {
		return Dim{}
	}
	key := fmt.Sprintf("%s(%v, %v)", fn, d, e)
	if fn == "div" {
		key = fmt.Sprintf("floor((%v)/(%v))", d, e)
	}
	if len(key) > maxKey {
		return Dim{}
	}
	return fromAtom(&atom{key: key, fn: fn, args: [2]Dim{d, e}})
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// Eval computes d with the symbols' values that lookup knows; what it doesn't know stays symbolic.
func (d Dim) Eval(lookup func(symbol string) (int, bool)) Dim {
	if !d.known || len(d.terms) == 0 {
		return d
	}
	sum := Int(d.c)
	for _, t := range d.terms {
		p := Int(t.coef)
		for _, a := range t.atoms {
			p = p.Mul(a.eval(lookup))
		}
		sum = sum.Add(p)
	}
	return sum
}

func (a *atom) eval(lookup func(string) (int, bool)) Dim {
	x, y := a.args[0], a.args[1]
	switch a.fn {
	case "div":
		return x.Eval(lookup).Div(y.Eval(lookup))
	case "mod":
		return x.Eval(lookup).Mod(y.Eval(lookup))
	case "max":
		return x.Eval(lookup).Max(y.Eval(lookup))
	case "min":
		return x.Eval(lookup).Min(y.Eval(lookup))
	}
	if n, ok := lookup(a.key); ok {
		return Int(n)
	}
	return fromAtom(a)
}

// Symbol returns the name if d is a plain symbol.
func (d Dim) Symbol() (string, bool) {
	if d.known && d.c == 0 && len(d.terms) == 1 && d.terms[0].coef == 1 && len(d.terms[0].atoms) == 1 && d.terms[0].atoms[0].fn == "" {
		return d.terms[0].atoms[0].key, true
	}
	return "", false
}

// Symbols calls yield for the name of each symbol in d.
func (d Dim) Symbols(yield func(string)) {
	for _, t := range d.terms {
		for _, a := range t.atoms {
			if a.fn == "" {
				yield(a.key)
				continue
			}
			a.args[0].Symbols(yield)
			a.args[1].Symbols(yield)
		}
	}
}
