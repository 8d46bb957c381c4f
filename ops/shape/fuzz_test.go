package shape

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/sardonyx-ml/sardonyx/kernels/parallel"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

// smallMemory refuses tensors of more than a million elements.
type smallMemory struct{ ops.HeapMemory }

func (m smallMemory) Alloc(d tensor.DType, shape tensor.Shape) (*tensor.Tensor, error) {
	if n, err := shape.CheckSize(); err != nil || n > 1<<20 {
		return nil, errors.New("too much memory")
	}
	return m.HeapMemory.Alloc(d, shape)
}

// chance makes random calls.
type chance struct{ *rand.Rand }

func (r chance) dims() sh {
	s := make(sh, r.Intn(5))
	for i := range s {
		s[i] = []int{0, 1, 1, 2, 3, 4, 7}[r.Intn(7)]
	}
	return s
}

func (r chance) num() int64 {
	if r.Intn(20) == 0 {
		return []int64{math.MaxInt64, math.MinInt64, math.MaxInt32, 1 << 40, -1 << 33}[r.Intn(5)]
	}
	return int64(r.Intn(9) - 3)
}

func (r chance) list() []int {
	out := make([]int, r.Intn(5))
	for i := range out {
		out[i] = int(r.num())
	}
	return out
}

func (r chance) data() *tensor.Tensor {
	types := tensor.DTypes()
	d := types[r.Intn(len(types))]
	if r.Intn(2) == 0 {
		d = tensor.Float32
	}
	return anyTensor(d, r.dims()...)
}

// index is an index tensor: mostly a vector.
func (r chance) index() *tensor.Tensor {
	s := sh{r.Intn(5)}
	if r.Intn(3) == 0 {
		s = r.dims()
	}
	if r.Intn(4) == 0 {
		t := tensor.New(tensor.Int32, s...)
		for i := range t.Int32() {
			t.Int32()[i] = int32(r.num())
		}
		return t
	}
	t := tensor.New(tensor.Int64, s...)
	for i := range t.Int64() {
		t.Int64()[i] = r.num()
	}
	return t
}

// fuzzed lists the operators with their inputs (d: data, D: data again, i: indices, ?: an optional index tensor, b:
// a vector of bools) and their attributes.
var fuzzed = []struct{ name, in, ints, lists string }{
	{"Reshape", "di", "allowzero", ""}, {"Flatten", "d", "axis", ""}, {"Squeeze", "d?", "", ""}, {"Unsqueeze", "di", "", ""},
	{"Transpose", "d", "", "perm"}, {"SpaceToDepth", "d", "blocksize", ""}, {"DepthToSpace", "d", "blocksize", ""},
	{"Concat", "dD", "axis", ""}, {"Split", "d?", "axis", ""}, {"Slice", "dii??", "", ""}, {"Gather", "di", "axis", ""},
	{"GatherElements", "di", "axis", ""}, {"GatherND", "di", "batch_dims", ""}, {"Compress", "db", "axis", ""},
	{"ScatterElements", "diD", "axis", ""}, {"ScatterND", "diD", "", ""}, {"TensorScatter", "dD?", "axis", ""},
	{"Pad", "di", "", ""}, {"CenterCropPad", "di", "", "axes"}, {"ReverseSequence", "di", "batch_axis time_axis", ""},
	{"Expand", "di", "", ""}, {"Tile", "di", "", ""}, {"Shape", "d", "start end", ""}, {"Size", "d", "", ""},
	{"ConstantOfShape", "i", "", ""}, {"EyeLike", "d", "k", ""}, {"Range", "iii", "", ""}, {"OneHot", "iid", "axis", ""},
	{"NonZero", "d", "", ""}, {"Trilu", "d?", "upper", ""}, {"Unique", "d", "axis sorted", ""}, {"TopK", "di", "axis largest", ""},
	{"Col2Im", "dii", "", "dilations pads strides"},
}

func (r chance) inputs(spec string) []tensor.Value {
	var in []tensor.Value
	x := r.data()
	for _, kind := range spec {
		switch kind {
		case 'd':
			in = append(in, x)
		case 'D':
			y := anyTensor(x.DType(), r.dims()...)
			if r.Intn(2) == 0 {
				y = anyTensor(x.DType(), x.Shape()...)
			}
			in = append(in, y)
		case 'b':
			in = append(in, anyTensor(tensor.Bool, r.Intn(4)))
		case '?':
			if r.Intn(2) == 0 {
				in = append(in, nil)
				continue
			}
			in = append(in, r.index())
		default:
			in = append(in, r.index())
		}
	}
	return in
}

func (r chance) call() (opstest.Call, []tensor.Value) {
	op := fuzzed[r.Intn(len(fuzzed))]
	a := attrs{}
	var name string
	for rest := op.ints; len(rest) > 0; rest = rest[min(len(name)+1, len(rest)):] {
		fmt.Sscan(rest, &name)
		if r.Intn(3) > 0 {
			a[name] = int(r.num())
		}
	}
	for rest := op.lists; len(rest) > 0; rest = rest[min(len(name)+1, len(rest)):] {
		fmt.Sscan(rest, &name)
		if r.Intn(3) > 0 {
			a[name] = r.list()
		}
	}
	return opstest.Call{Name: op.name, Attrs: a, Outputs: 1 + r.Intn(4)}, r.inputs(op.in)
}

// FuzzCalls makes calls that are mostly wrong: they must not panic, what inference says must be true, and it must not
// refuse what runs.
func FuzzCalls(f *testing.F) {
	for seed := range int64(4000) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed int64) {
		call, in := chance{rand.New(rand.NewSource(seed))}.call()
		op, err := opstest.New(call)
		if err != nil {
			return
		}
		c := &ops.Ctx{Context: t.Context(), In: in, Out: make([]tensor.Value, call.Outputs), Wanted: make([]bool, call.Outputs), Mem: smallMemory{}, Pool: parallel.NewPool(2)}
		for i := range c.Wanted {
			c.Wanted[i] = true
		}
		runErr := op.Run(c)
		for mode := range 3 {
			ic := inferOf(in, call.Outputs, mode == 0)
			value := func(string) (int, bool) { return 0, false }
			if mode == 2 {
				value = chance{rand.New(rand.NewSource(seed))}.symbols(ic, in, call.Name == "Reshape")
			}
			err := op.Infer(ic)
			if runErr != nil {
				continue
			}
			if err != nil {
				t.Fatalf("%s %v of %v: inference refuses what runs: %v", call.Name, call.Attrs, in, err)
			}
			for i, v := range c.Out {
				if v == nil {
					continue
				}
				for k, d := range ic.Out[i].Type.Dims {
					ic.Out[i].Type.Dims[k] = d.Eval(value)
				}
				for k, d := range ic.Out[i].Ints {
					ic.Out[i].Ints[k] = d.Eval(value)
				}
				if _, err := ic.Out[i].Type.Merge(v.Type()); err != nil {
					t.Errorf("%s %v of %v: output %d: %v", call.Name, call.Attrs, in, i, err)
				}
				checkInts(t, call, ic.Out[i], v)
			}
		}
	})
}

// inferOf prepares inference with known or unknown values.
func inferOf(in []tensor.Value, outputs int, known bool) *ops.Infer {
	ic := &ops.Infer{In: make([]ops.Info, len(in)), Out: make([]ops.Info, outputs), Absent: make([]bool, len(in))}
	for i, v := range in {
		if ic.Absent[i] = v == nil; v != nil {
			ic.In[i].Type = v.Type()
			if known {
				ic.In[i].Const = v
			}
		}
	}
	return ic
}

// symbols replaces some dimensions and elements of integer vectors by symbols, and returns their values. An element that
// is a symbol is no 0 where that has a meaning of its own.
func (r chance) symbols(ic *ops.Infer, in []tensor.Value, positive bool) func(string) (int, bool) {
	values := map[string]int{}
	hide := func(d tensor.Dim) tensor.Dim {
		n, ok := d.Int()
		if !ok || n < 0 || positive && n == 0 || r.Intn(2) == 0 {
			return d
		}
		name := fmt.Sprintf("s%d", n)
		if r.Intn(2) == 0 {
			name = fmt.Sprintf("t%d", len(values))
		}
		values[name] = n
		return tensor.Sym(name)
	}
	for i := range ic.In {
		for k, d := range ic.In[i].Type.Dims {
			ic.In[i].Type.Dims[k] = hide(d)
		}
		x, _ := in[i].(*tensor.Tensor)
		if x == nil || x.Rank() > 1 || !x.DType().IsInt() {
			continue
		}
		v, err := x.Ints()
		if err != nil {
			continue
		}
		ic.In[i].Type = x.Type()
		ic.In[i].Ints = tensor.Dims(v...)
		for k, d := range ic.In[i].Ints {
			ic.In[i].Ints[k] = hide(d)
		}
	}
	return func(s string) (int, bool) {
		n, ok := values[s]
		return n, ok
	}
}

func checkInts(t *testing.T, call opstest.Call, info ops.Info, v tensor.Value) {
	t.Helper()
	if info.Ints == nil {
		return
	}
	got, err := v.(*tensor.Tensor).Ints()
	if err != nil || len(got) != len(info.Ints) {
		t.Fatalf("%s: elements %v, inferred %s (%v)", call.Name, got, intsString(info.Ints), err)
	}
	for i, e := range info.Ints {
		if n, ok := e.Int(); ok && n != got[i] {
			t.Errorf("%s: element %d is %d, inferred %d", call.Name, i, got[i], n)
		}
	}
}
