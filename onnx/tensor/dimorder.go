package tensor

// AtLeast reports whether d ≥ e can be proved for all values of the symbols that are not negative. It sees through min and max.
func (d Dim) AtLeast(e Dim) bool {
	if !d.known || !e.known {
		return false
	}
	budget := 64
	return d.Sub(e).provedNonNegative(&budget)
}

// provedNonNegative replaces one min or max after the other by its arguments. Where d grows with the function's value, a max is at
// least either argument, and a min is one of them; the other way round where d shrinks.
func (d Dim) provedNonNegative(budget *int) bool {
	if d.NonNegative() {
		return true
	}
	if !d.known || *budget <= 0 {
		return false
	}
	*budget--
	for _, t := range d.terms {
		if len(t.atoms) != 1 || t.atoms[0].fn != "max" && t.atoms[0].fn != "min" {
			continue
		}
		a := t.atoms[0]
		rest := d.Sub(fromAtom(a).Mul(Int(t.coef)))
		x, y := rest.Add(a.args[0].Mul(Int(t.coef))), rest.Add(a.args[1].Mul(Int(t.coef)))
		if either := (a.fn == "max") == (t.coef > 0); either {
			if x.provedNonNegative(budget) || y.provedNonNegative(budget) {
				return true
			}
			continue
		}
		if x.provedNonNegative(budget) && y.provedNonNegative(budget) {
			return true
		}
	}
	return false
}
