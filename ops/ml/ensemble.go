package ml

import (
	"fmt"
	"math"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	register("TreeEnsembleRegressor", 1, newTreeRegressor)
	ops.Register(ops.Def{Domain: ops.ML, Name: "TreeEnsemble", Since: 5, New: newTreeEnsemble, Widen: true})
}

// ensemble is TreeEnsemble and TreeEnsembleRegressor: for each row, the aggregated weights of the leaves it reaches.
type ensemble struct {
	*forest
	targets int
	how     aggregate
	base    []float64
	post    post
	float   bool // the output is float whatever the input
}

// numbers returns a list of floats that may also be given as a tensor.
func numbers(a *ops.Attrs, name string) []float64 {
	f, t := a.Floats(name), a.Tensor(name+"_as_tensor")
	if t != nil && len(f) == 0 {
		v, err := t.Floats()
		if err != nil {
			a.Errorf("%s_as_tensor: %v", name, err)
		}
		return v
	}
	out := make([]float64, len(f))
	for i, v := range f {
		out[i] = float64(v)
	}
	return out
}

// readLists reads the attributes of versions 1 and 3; kind is target or class.
func readLists(a *ops.Attrs, kind string) *lists {
	a.Ignore("nodes_hitrates", "nodes_hitrates_as_tensor")
	return &lists{
		trees: a.Ints("nodes_treeids"), ids: a.Ints("nodes_nodeids"), features: a.Ints("nodes_featureids"),
		yes: a.Ints("nodes_truenodeids"), no: a.Ints("nodes_falsenodeids"), missing: a.Ints("nodes_missing_value_tracks_true"),
		values: numbers(a, "nodes_values"), modes: a.Strings("nodes_modes"),
		leafTrees: a.Ints(kind + "_treeids"), leafIDs: a.Ints(kind + "_nodeids"), leafTargets: a.Ints(kind + "_ids"),
		leafWeights: numbers(a, kind+"_weights"),
	}
}

func newTreeRegressor(a *ops.Attrs) (ops.Op, error) {
	l := readLists(a, "target")
	op := ensemble{targets: a.Int("n_targets", 1), base: numbers(a, "base_values"), post: readPost(a), float: true}
	op.how = map[string]aggregate{"SUM": sum, "AVERAGE": average, "MIN": minimum, "MAX": maximum}[a.Enum("aggregate_function", "SUM", "AVERAGE", "MIN", "MAX")]
	if err := a.Done(); err != nil {
		return nil, err
	}
	if op.targets < 1 || op.targets > math.MaxInt32 || len(op.base) != 0 && len(op.base) != op.targets {
		return nil, fmt.Errorf("%d targets with %d base values", op.targets, len(op.base))
	}
	var err error
	op.forest, err = l.forest(op.targets)
	return op, err
}

func newTreeEnsemble(a *ops.Attrs) (ops.Op, error) {
	op := ensemble{how: aggregate(a.Int("aggregate_function", 1)), targets: a.Int("n_targets", 0)}
	a.Ignore("nodes_hitrates")
	if p := a.Int("post_transform", 0); p >= 0 && p < len(posts) {
		op.post = post(posts[p])
	} else {
		a.Errorf("post_transform is %d", p)
	}
	if op.how > maximum {
		a.Errorf("aggregate_function is %d", op.how)
	}
	g := readArrays(a)
	if err := a.Done(); err != nil {
		return nil, err
	}
	for _, t := range g.leafTargets {
		if t < 0 || t > 1<<24 || op.targets > 0 && t >= op.targets {
			return nil, fmt.Errorf("a leaf has target %d of %d", t, op.targets)
		}
	}
	if op.targets == 0 {
		for _, t := range g.leafTargets {
			op.targets = max(op.targets, t+1)
		}
	}
	var err error
	op.forest, err = g.forest()
	return op, err
}

// arrays are the attributes of TreeEnsemble-5.
type arrays struct {
	features, yes, no, yesLeaf, noLeaf, missing, roots []int
	modes                                              []int
	splits, members, leafWeights                       []float64
	leafTargets                                        []int
}

func readArrays(a *ops.Attrs) *arrays {
	g := &arrays{
		features: a.Ints("nodes_featureids"), yes: a.Ints("nodes_truenodeids"), no: a.Ints("nodes_falsenodeids"),
		yesLeaf: a.Ints("nodes_trueleafs"), noLeaf: a.Ints("nodes_falseleafs"), missing: a.Ints("nodes_missing_value_tracks_true"),
		roots: a.Ints("tree_roots"), leafTargets: a.Ints("leaf_targetids"),
	}
	for name, dst := range map[string]*[]float64{"nodes_splits": &g.splits, "membership_values": &g.members, "leaf_weights": &g.leafWeights} {
		if t := a.Tensor(name); t != nil {
			v, err := t.Floats()
			if err != nil {
				a.Errorf("%s: %v", name, err)
			}
			*dst = v
		}
	}
	if t := a.Tensor("nodes_modes"); t != nil {
		v, err := t.Ints()
		if err != nil {
			a.Errorf("nodes_modes: %v", err)
		}
		g.modes = v
	}
	return g
}

func (g *arrays) forest() (*forest, error) {
	n := len(g.features)
	for _, m := range []int{len(g.yes), len(g.no), len(g.yesLeaf), len(g.noLeaf), len(g.modes), len(g.splits)} {
		if m != n {
			return nil, fmt.Errorf("the lists of tree nodes differ in length: %d and %d", m, n)
		}
	}
	if len(g.missing) != 0 && len(g.missing) != n || n > math.MaxInt32 || len(g.leafTargets) != len(g.leafWeights) {
		return nil, fmt.Errorf("%d flags for missing values of %d nodes, %d targets of %d leaves", len(g.missing), n, len(g.leafTargets), len(g.leafWeights))
	}
	f := &forest{first: make([]int32, len(g.leafWeights)+1)}
	for i, w := range g.leafWeights {
		f.weights = append(f.weights, weight{int32(g.leafTargets[i]), w})
		f.first[i+1] = int32(i + 1)
	}
	members := g.members
	for i := range n {
		if g.modes[i] < 0 || g.modes[i] > int(member) || g.features[i] < 0 || g.features[i] > math.MaxInt32-1 {
			return nil, fmt.Errorf("node %d has mode %d and feature %d", i, g.modes[i], g.features[i])
		}
		d := node{split: g.splits[i], feature: int32(g.features[i]), mode: mode(g.modes[i]), missing: len(g.missing) > 0 && g.missing[i] != 0}
		var err error
		if d.yes, err = g.branch(g.yes[i], g.yesLeaf[i], n); err != nil {
			return nil, err
		}
		if d.no, err = g.branch(g.no[i], g.noLeaf[i], n); err != nil {
			return nil, err
		}
		if d.mode == member {
			d.set = int32(len(f.sets))
			var set map[float64]bool
			if set, members, err = nextSet(members); err != nil {
				return nil, err
			}
			f.sets = append(f.sets, set)
		}
		f.nodes = append(f.nodes, d)
	}
	for _, r := range g.roots {
		b, err := g.branch(r, 0, n)
		if err != nil {
			return nil, err
		}
		f.roots = append(f.roots, b)
	}
	return f, f.check()
}

// branch returns a branch in the flat form.
func (g *arrays) branch(id, isLeaf, nodes int) (int32, error) {
	limit := nodes
	if isLeaf != 0 {
		limit = len(g.leafWeights)
	}
	if id < 0 || id >= limit {
		return 0, fmt.Errorf("a branch to %d of %d", id, limit)
	}
	if isLeaf != 0 {
		return ^int32(id), nil
	}
	return int32(id), nil
}

// nextSet takes the values up to the next NaN.
func nextSet(v []float64) (map[float64]bool, []float64, error) {
	set := map[float64]bool{}
	for i, x := range v {
		if x != x {
			return set, v[i+1:], nil
		}
		set[x] = true
	}
	if len(set) == 0 {
		return nil, nil, fmt.Errorf("membership_values has too few sets")
	}
	return set, nil, nil
}

// Infer implements ops.Op.
func (op ensemble) Infer(c *ops.Infer) error {
	d := c.DType(0)
	if op.float {
		d = tensor.Float32
	}
	c.SetOut(0, d, inferRows(c), tensor.Int(op.targets))
	return nil
}

// Run implements ops.Op.
func (op ensemble) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	rows, cols, err := matrix(x)
	if err != nil {
		return err
	}
	if op.features > cols {
		return fmt.Errorf("the trees test feature %d of %d", op.features-1, cols)
	}
	d := x.DType()
	if op.float {
		d = tensor.Float32
	}
	y, err := c.New(0, d, tensor.Shape{rows, op.targets})
	if err != nil {
		return err
	}
	store := func(int, float64) {}
	if d == tensor.Float64 {
		store = func(i int, v float64) { y.Float64()[i] = v }
	} else if f := y.Float32(); d == tensor.Float32 {
		store = func(i int, v float64) { f[i] = float32(v) }
	}
	if x.DType() == tensor.Float64 {
		return op.rows(c, rows, func(r int, s []float64, seen []bool) {
			score(op.forest, op.how, x.Float64()[r*cols:(r+1)*cols], s, seen)
		}, store)
	}
	f, err := floats(x)
	if err != nil {
		return err
	}
	return op.rows(c, rows, func(r int, s []float64, seen []bool) { score(op.forest, op.how, f[r*cols:(r+1)*cols], s, seen) }, store)
}

func (op ensemble) rows(c *ops.Ctx, rows int, score func(r int, s []float64, seen []bool), store func(int, float64)) error {
	n := op.targets
	c.Parallel(rows, ops.Grain(32*len(op.roots)+n), func(lo, hi int) {
		s, seen := make([]float64, n), make([]bool, n)
		for r := lo; r < hi && c.Err() == nil; r++ {
			score(r, s, seen)
			for k := range op.base {
				s[k] += op.base[k]
			}
			if n == 1 {
				op.post.single(s)
			} else {
				op.post.apply(s)
			}
			for k, v := range s {
				store(r*n+k, v)
			}
		}
	})
	return c.Err()
}
