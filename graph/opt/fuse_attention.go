package opt

import (
	"slices"

	"github.com/sardonyx-ml/sardonyx/graph"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

// attentionRules find softmax(scale·Q·Kᵀ, masked)·V as exporters write it and make it one operator, which reads and writes the
// arrays in the order that the transposes around it have them in: these become dead. What carries scores and probabilities from one product
// to the other must have no other use.
var attentionRules = []Rule{
	{Name: "attention", Match: attentionPattern{}, Build: func(b *Rewrite, m *Match) *graph.Value {
		a := findAttention(m.Root.Outputs[0])
		return b.CallN(ops.Internal, "Attention", 1, a.attrs(), a.inputs(b)...)[0]
	}},
}

type attentionPattern struct{}

func (attentionPattern) match(m *Match, v *graph.Value, then func() bool) bool {
	a := findAttention(v)
	if a == nil {
		return false
	}
	m.inner = a.inner
	if then() {
		return true
	}
	m.inner = nil
	return false
}

// attention is what findAttention found.
type attention struct {
	inner   []*graph.Node
	q, k, v view
	scale   float64
	steps   []attentionStep
	zero    bool  // NaN among the probabilities becomes zero
	merged  bool  // batch and head are one axis in both products
	split   bool  // in the product of Q and K only
	rank    int   // of the products
	perm    []int // of the output
}

// attentionStep is one change of the scores; see ops/fused.
type attentionStep struct {
	name string
	mask *graph.Value
	fill float64
	each bool // the mask's first axis is batch and head
}

// view is a value whose axes are read in another order: axis i is the value's axis perm[i].
type view struct {
	value *graph.Value
	perm  []int
}

func is(n *graph.Node, op string) bool { return n != nil && n.Domain == "" && n.OpType == op }

// shapeOf returns the dimensions of a tensor, nil if its rank is unknown.
func shapeOf(v *graph.Value) []tensor.Dim {
	d, _ := dimsOf(v)
	return d
}

// transposition returns the permutation of a Transpose of an array of known rank.
func transposition(n *graph.Node) ([]int, bool) {
	p := permOf(n)
	return slices.Clone(p), len(p) > 0 && len(p) == rankOf(n.Inputs[0])
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// findAttention looks for an attention whose result is v; it returns nil if there is none.
func findAttention(v *graph.Value) *attention {
	n := v.Node
	if !is(n, "Transpose") && !is(n, "MatMul") {
		return nil
	}
	a := &attention{scale: 1}
	if is(n, "Transpose") {
		perm, ok := transposition(n)
		if !ok || perm[len(perm)-1] != len(perm)-1 {
			return nil
		}
		a.inner, a.perm = append(a.inner, n), perm
		if n = n.Inputs[0].Node; is(n, "Reshape") {
			if !splits(n.Outputs[0], n.Inputs[0]) {
				return nil
			}
			a.inner, a.merged = append(a.inner, n), true
			n = n.Inputs[0].Node
		}
	}
	if !is(n, "MatMul") || !isFloat32(n.Outputs[0]) {
		return nil
	}
	a.rank = len(shapeOf(n.Outputs[0]))
	if a.rank != 3 && a.rank != 4 || a.merged && a.rank != 3 {
		return nil
	}
	a.inner = append(a.inner, n)
	if !a.probabilities(n.Inputs[0]) {
		return nil
	}
	var ok bool
	if a.v, ok = a.operand(n.Inputs[1], a.rank, a.rank-1, nil); !ok {
		return nil
	}
	if a.perm == nil {
		a.perm = identity(a.rank)
	}
	return a
}

// probabilities follows the first operand of the product with V back to the softmax.
func (a *attention) probabilities(v *graph.Value) bool {
	for v.Node != nil {
		n := v.Node
		switch {
		case is(n, "Where"): // NaN, which a row without scores gives, becomes zero
			test := n.Inputs[0].Node
			f, ok := Scalar(n.Inputs[1])
			if !is(test, "IsNaN") || test.Inputs[0] != n.Inputs[2] || !ok || f != 0 {
				return false
			}
			a.zero = true
			a.inner = append(a.inner, n, test)
			v = n.Inputs[2]
		case passes1(n, v) || a.merged && a.regroups(n):
			a.inner = append(a.inner, n)
			v = n.Inputs[0]
		case is(n, "Softmax"):
			rank := len(shapeOf(v))
			axis, ok := n.Attrs["axis"].(int64)
			if !ok {
				if axis = -1; n.Opset < 13 {
					axis = 1
				}
			}
			if rank == 0 || axis != -1 && int(axis) != rank-1 {
				return false
			}
			a.inner = append(a.inner, n)
			return a.scores(n.Inputs[0])
		default:
			return false
		}
	}
	return false
}

// passes1 reports whether output v of the node is its first input.
func passes1(n *graph.Node, v *graph.Value) bool {
	switch {
	case is(n, "Identity"):
		return true
	case is(n, "Cast"):
		return isFloat32(v) && isFloat32(n.Inputs[0])
	case is(n, "Dropout"):
		if n.Opset < 7 || v.Out != 0 {
			return false
		}
		if len(n.Inputs) < 3 || n.Inputs[2] == nil {
			return true
		}
		train, ok := Scalar(n.Inputs[2])
		return ok && train == 0
	}
	return false
}

// regroups reports whether the node merges the axes of batch and head, or splits them again.
func (a *attention) regroups(n *graph.Node) bool {
	if !is(n, "Reshape") {
		return false
	}
	if a.merged || a.split {
		return splits(n.Outputs[0], n.Inputs[0]) || splits(n.Inputs[0], n.Outputs[0])
	}
	a.split = a.rank == 4 && splits(n.Outputs[0], n.Inputs[0])
	return a.split
}

// splits reports whether the array of rank 4 is the one of rank 3 with the first axis split in two.
func splits(four, three *graph.Value) bool {
	f, t := shapeOf(four), shapeOf(three)
	return len(f) == 4 && len(t) == 3 && f[0].Mul(f[1]).Equal(t[0]) && (f[2].Equal(t[1]) || f[3].Equal(t[2]))
}

// scores follows the scores back to the product of Q and K and collects the scale and the steps on the way.
func (a *attention) scores(v *graph.Value) bool {
	if v == nil || v.Node == nil || v.Const != nil || !isFloat32(v) {
		return false
	}
	n := v.Node
	if is(n, "MatMul") {
		return a.product(n)
	}
	saved := *a
	saved.inner = slices.Clone(a.inner)
	a.inner = append(a.inner, n)
	if a.step(n, v) {
		return true
	}
	*a = saved
	return false
}

// step is scores for a node that changes them.
func (a *attention) step(n *graph.Node, v *graph.Value) bool {
	switch {
	case passes1(n, v) || a.regroups(n):
		return a.scores(n.Inputs[0])
	case is(n, "Mul"):
		for i := range 2 {
			if f, ok := Scalar(n.Inputs[1-i]); ok && a.scores(n.Inputs[i]) {
				a.scale *= f
				return len(a.steps) == 0 || f == 1
			}
		}
	case is(n, "Div"):
		if f, ok := Scalar(n.Inputs[1]); ok && f != 0 && a.scores(n.Inputs[0]) {
			a.scale /= f
			return len(a.steps) == 0 || f == 1
		}
	case is(n, "Add"):
		for i := range 2 {
			if a.scores(n.Inputs[i]) {
				return zeros(n.Inputs[1-i]) && isFloat32(n.Inputs[1-i]) && sameDims(n.Inputs[0], n.Inputs[1]) || a.mask(n, "add", n.Inputs[1-i], 0)
			}
		}
	case is(n, "Where"):
		for i, name := range []string{"keep", "drop"} {
			if f, ok := Scalar(n.Inputs[2-i]); ok && a.scores(n.Inputs[1+i]) {
				return a.mask(n, name, n.Inputs[0], f)
			}
		}
	case is(n, "Max") && len(n.Inputs) == 2:
		for i := range 2 {
			if f, ok := Scalar(n.Inputs[1-i]); ok && a.scores(n.Inputs[i]) {
				a.steps = append(a.steps, attentionStep{"max", nil, f, false})
				return true
			}
		}
	}
	return false
}

// zeros reports whether v is made of zeros when it is needed.
func zeros(v *graph.Value) bool {
	if v == nil || !is(v.Node, "ConstantOfShape") {
		return false
	}
	t, ok := v.Node.Attrs["value"].(*tensor.Tensor)
	if !ok {
		return true
	}
	f, ok := Scalar(graph.NewConst("", t))
	return ok && f == 0
}

// mask adds the step of a node that combines the scores with a mask.
func (a *attention) mask(n *graph.Node, name string, mask *graph.Value, fill float64) bool {
	mask = a.unexpanded(mask)
	d := shapeOf(mask)
	scores := len(shapeOf(n.Outputs[0]))
	if mask == nil || !mask.Type.Ranked || scores == 0 || len(d) > scores {
		return false
	}
	each := (a.merged || a.split) && scores == 3 && len(d) == 3 && !d[0].Is(1)
	if each && (!d[0].Equal(shapeOf(n.Outputs[0])[0]) || a.heads() == 0) {
		return false
	}
	a.steps = append(a.steps, attentionStep{name, mask, fill, each})
	return true
}

// unexpanded looks through the expansion of a mask to the shape of the scores. Everything that computes this shape from the scores is
// part of the match then.
func (a *attention) unexpanded(mask *graph.Value) *graph.Value {
	v := mask
	var inner []*graph.Node
	for v.Node != nil && is(v.Node, "Cast") && v.Type.DType == v.Node.Inputs[0].Type.DType {
		inner = append(inner, v.Node)
		v = v.Node.Inputs[0]
	}
	if !is(v.Node, "Expand") || len(shapeOf(v.Node.Inputs[0])) == 0 {
		return mask
	}
	var need []*graph.Node
	if !a.needs(v.Node.Inputs[1], &need, 16) {
		return mask
	}
	a.inner = append(append(append(a.inner, inner...), v.Node), need...)
	return v.Node.Inputs[0]
}

// needs reports whether v is computed from scores, and collects the nodes on the way.
func (a *attention) needs(v *graph.Value, need *[]*graph.Node, depth int) bool {
	if v == nil || v.Node == nil || depth == 0 {
		return false
	}
	if slices.Contains(a.inner, v.Node) {
		return true
	}
	found := false
	for _, in := range v.Node.Inputs {
		found = a.needs(in, need, depth-1) || found
	}
	if found && !slices.Contains(*need, v.Node) {
		*need = append(*need, v.Node)
	}
	return found
}

// product takes the product of Q and Kᵀ.
func (a *attention) product(n *graph.Node) bool {
	rank := a.rank
	if a.split {
		rank = 3
	}
	if len(shapeOf(n.Outputs[0])) != rank {
		return false
	}
	a.inner = append(a.inner, n)
	var ok bool
	if a.q, ok = a.operand(n.Inputs[0], rank, rank-1, &a.scale); !ok {
		return false
	}
	if a.k, ok = a.operand(n.Inputs[1], rank, rank-2, &a.scale); !ok {
		return false
	}
	last := len(a.k.perm) - 1
	a.k.perm[last], a.k.perm[last-1] = a.k.perm[last-1], a.k.perm[last]
	return true
}

// operand follows an operand of a product back through transposes, repeated heads and, if scale is given, constant
// factors. Axis elem of it must come out as the last one, and batch and head as two axes if they are merged.
func (a *attention) operand(v *graph.Value, rank, elem int, scale *float64) (best view, ok bool) {
	if !isFloat32(v) || len(shapeOf(v)) != rank {
		return view{}, false
	}
	merged := a.merged || rank < a.rank
	cur, factor := view{v, identity(rank)}, 1.0
	bestFactor := 1.0
	for {
		if rank = len(cur.perm); cur.perm[elem] == rank-1 && (!merged || rank == 4) {
			best, bestFactor, ok = view{cur.value, slices.Clone(cur.perm)}, factor, true
		}
		if !cur.back(merged, scale != nil, &factor) {
			break
		}
		elem += len(cur.perm) - rank
	}
	if scale != nil {
		*scale *= bestFactor
	}
	return best, ok
}

// back replaces the view's value by the one that it was made from; it reports whether it could.
func (w *view) back(merged, scaled bool, factor *float64) bool {
	n := w.value.Node
	switch {
	case w.value.Const != nil || n == nil:
		return false
	case is(n, "Transpose"):
		perm, ok := transposition(n)
		if !ok || len(perm) != len(w.perm) {
			return false
		}
		for i, p := range w.perm {
			w.perm[i] = perm[p]
		}
		w.value = n.Inputs[0]
	case scaled && is(n, "Mul"):
		f, ok := Scalar(n.Inputs[1])
		x := n.Inputs[0]
		if !ok {
			f, ok = Scalar(n.Inputs[0])
			x = n.Inputs[1]
		}
		if !ok || len(shapeOf(x)) != len(w.perm) {
			return false
		}
		*factor *= f
		w.value = x
	case scaled && is(n, "Div"):
		f, ok := Scalar(n.Inputs[1])
		if !ok || f == 0 || len(shapeOf(n.Inputs[0])) != len(w.perm) {
			return false
		}
		*factor /= f
		w.value = n.Inputs[0]
	case merged && is(n, "Reshape") && len(w.perm) == 3 && w.perm[0] == 0 && splits(n.Inputs[0], w.value):
		w.perm = []int{0, 1, w.perm[1] + 1, w.perm[2] + 1}
		w.value = n.Inputs[0]
	case is(n, "Reshape") && len(w.perm) == 4 && w.perm[0] == 0 && w.perm[1] == 1:
		x := repeated(n)
		if x == nil {
			return false
		}
		w.value = x
	default:
		return false
	}
	return true
}

// repeated returns the (batch, heads, sequence, element) array whose heads the Reshape yields, each repeated some times: a
// Reshape of an Expand of an Unsqueeze.
func repeated(n *graph.Node) *graph.Value {
	e := n.Inputs[0].Node
	if !is(e, "Expand") || !is(e.Inputs[0].Node, "Unsqueeze") {
		return nil
	}
	x := e.Inputs[0].Node.Inputs[0]
	in, one, wide, out := shapeOf(x), shapeOf(e.Inputs[0]), shapeOf(e.Outputs[0]), shapeOf(n.Outputs[0])
	if len(in) != 4 || len(one) != 5 || len(wide) != 5 || len(out) != 4 || !one[2].Is(1) {
		return nil
	}
	groups, known := in[1].Int()
	heads, known2 := out[1].Int()
	same := wide[1].Equal(in[1]) && wide[1].Mul(wide[2]).Equal(out[1]) && one[1].Equal(in[1]) && one[4].Equal(in[3]) && wide[4].Equal(in[3]) && out[3].Equal(in[3])
	if !known || !known2 || groups == 0 || heads%groups != 0 || !same || !in[0].Equal(out[0]) || !in[2].Equal(out[2]) {
		return nil
	}
	return x
}

// heads is the number of Q's heads if that is a known number, else 0.
func (a *attention) heads() int {
	n, _ := shapeOf(a.q.value)[a.q.perm[1]].Int()
	return n
}

func (a *attention) inputs(b *Rewrite) []*graph.Value {
	in := []*graph.Value{a.q.value, a.k.value, a.v.value}
	for _, s := range a.steps {
		switch {
		case s.mask == nil:
		case s.each:
			rest := b.Call("Slice", nil, b.Call("Shape", nil, s.mask), b.Ints(1), b.Ints(3))
			shape := b.Call("Concat", graph.Attrs{"axis": 0}, b.Ints(-1, int64(a.heads())), rest)
			in = append(in, b.Call("Reshape", nil, s.mask, shape))
		default:
			in = append(in, s.mask)
		}
	}
	return in
}

func (a *attention) attrs() graph.Attrs {
	rank := len(a.perm)
	at := graph.Attrs{
		"scale": float32(a.scale), "zero_rows": a.zero, "y_perm": a.perm,
		"q_axes": a.q.perm[:rank-1], "k_axes": a.k.perm[:rank-1], "v_axes": a.v.perm[:rank-1],
	}
	var names []string
	var fills []float32
	for _, s := range a.steps {
		names = append(names, s.name)
		if s.name != "add" {
			fills = append(fills, float32(s.fill))
		}
	}
	if len(names) > 0 {
		at["steps"] = names
	}
	if len(fills) > 0 {
		at["fills"] = fills
	}
	return at
}
