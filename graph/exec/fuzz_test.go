package exec

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/onnx/text"
)

// Limits of one fuzz run. A model of a few kilobytes that takes more is a finding.
const (
	fuzzMemory   = 32 << 20
	fuzzDeadline = 300 * time.Millisecond
	fuzzPatience = 10 * time.Second
	fuzzAlloc    = 2 << 30 // bytes allocated in all, garbage included
)

// fuzzModels are graphs whose constants and attributes a mutation of the text reaches.
var fuzzModels = []string{
	`g (float[N, 4] x) => (y) <float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> { h = MatMul (x, w)  y = Softmax <axis = 1> (h) }`,
	`g (float[2, 3, 8] x) => (y) <int64[2] s = {1, -9}, int64[2] e = {9, 0}, int64[2] a = {1, 2}, int64[2] p = {1, -1}> { y = Slice (x, s, e, a, p) }`,
	`g (float[2, 3, 8] x) => (y) <int64[3] s = {0, -1, 6}> { r = Reshape <allowzero = 0> (x, s)  y = Transpose <perm = [2, 0, 1]> (r) }`,
	`g (float[2, 3] x) => (y) <int64[4] p = {0, 1, -1, 2}, float v = {1}> { y = Pad <mode = "reflect"> (x, p, v) }`,
	`g (float[1, 2, 7, 7] x) => (y) <float[4, 1, 3, 3] w = {` + strings.Repeat("1, ", 35) + `1}> { y = Conv <group = 2, pads = [1, 0, 1, 2], strides = [2, 1], dilations = [1, 2]> (x, w) }`,
	`g (float[1, 2, 5] x) => (y) <float[2, 2, 3] w = {` + strings.Repeat("1, ", 11) + `1}> { y = ConvTranspose <output_padding = [1], strides = [2]> (x, w) }`,
	`g (float[1, 2, 6, 6] x) => (y, i) { y, i = MaxPool <kernel_shape = [2, 3], strides = [2, 1], pads = [0, 1, 1, 0], ceil_mode = 1> (x) }`,
	`g (float[1, 1, 4, 4] x) => (y) <float[4] s = {1, 1, 2, 0.6}> { y = Resize <mode = "cubic"> (x, , s) }`,
	`g (float[2, 6] x) => (y, i) <int64[1] k = {3}> { y, i = TopK <axis = -1, largest = 0> (x, k) }`,
	`g (float[2, 6] x) => (y) <int64[2, 2] i = {0, 1, 1, -6}> { y = GatherND (x, i) }`,
	`g (float[4, 3] x) => (y) <int64[2, 1] i = {3, 0}, float[2, 3] u = {1, 2, 3, 4, 5, 6}> { y = ScatterND <reduction = "add"> (x, i, u) }`,
	`g (float[2, 3] x, float[3, 2] z) => (y) { y = Einsum <equation = "ij,jk->ki"> (x, z) }`,
	`g (float[3, 2, 4] x) => (y, h, c) <float[1, 12, 4] w = {` + strings.Repeat("1, ", 47) + `1}, float[1, 12, 3] r = {` + strings.Repeat("1, ", 35) + `1}> { y, h, c = LSTM <hidden_size = 3> (x, w, r) }`,
	`g (float[2] x, int64 n) => (y, r) <bool t = {1}> { y, r = Loop (n, t, x) <body = b (int64 i, bool c, float[2] a) => (bool d, float[2] o, float[2] p) { d = Identity (c)  o = Add (a, x)  p = Neg (o) }> }`,
	`g (float[3, 2] x, float[2] z) => (y, r) { y, r = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] e) => (float[2] o, float[2] p) { o = Add (s, e)  p = Identity (o) }> (z, x) }`,
	`g (float[2] x) => (y) { s = SequenceConstruct (x, x)  i = Constant <value_int = -1> ()  y = SequenceAt (s, i) }`,
	`g (float[2, 2] x) => (y) <int64[2] r = {2, 3}, int64[2] s = {4, 6}> { t = Tile (x, r)  y = Expand (t, s) }`,
	`g (int64 a, int64 b) => (y) <int64 d = {2}> { r = Range (a, b, d)  h = Constant <value_ints = [3]> ()  v = Constant <value_ints = [0, 1]> ()  y = OneHot <axis = 0> (r, h, v) }`,
	`g (uint8[2, 4] x, uint8[4, 3] w) => (y) <uint8 z = {3}, float s = {0.5}> { y = QLinearMatMul (x, s, z, w, s, z, s, z) }`,
	`g (float[1, 8, 2] x) => (y) <int64 n = {8}> { y = DFT <axis = 1, onesided = 1> (x, n) }`,
	`g (string[2] x) => (y, n) { y, n = StringSplit <maxsplit = 2> (x) }`,
	`g (float[1, 2, 3, 4] q) => (y) { y = Attention <is_causal = 1> (q, q, q) }`,
}

// officialModels adds the small models of the official cases if the variable FUZZ_OFFICIAL is set: going through them once
// takes longer than a short run of the target.
func officialModels(f *testing.F) {
	if os.Getenv("FUZZ_OFFICIAL") == "" {
		return
	}
	archives, _ := filepath.Glob("../../../shared/conformance/*.tar.gz")
	for _, archive := range archives {
		file, err := os.Open(archive)
		if err != nil {
			f.Fatal(err)
		}
		defer file.Close()
		z, err := gzip.NewReader(file)
		if err != nil {
			f.Fatal(err)
		}
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				f.Fatal(err)
			}
			if path.Base(h.Name) != "model.onnx" || h.Size > 2000 {
				continue
			}
			data, err := io.ReadAll(r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// FuzzRun loads a model, in the binary or the textual form, makes a session and runs it on small random inputs. Any error
// will do but one that stands for a panic.
func FuzzRun(f *testing.F) {
	for _, src := range fuzzModels {
		src = `<ir_version: 10, opset_import: ["": 23]> ` + src
		f.Add([]byte(src))
		p, err := text.Parse(src)
		if err != nil {
			f.Fatalf("%s: %v", src, err)
		}
		data, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	officialModels(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		h := fnv.New64a()
		h.Write(data)
		err := loadAndRun(data, rand.New(rand.NewPCG(1, h.Sum64())))
		if errors.Is(err, ErrInternal) || err != nil && strings.Contains(err.Error(), "internal error") {
			t.Fatal(err)
		}
		if d := time.Since(start); d > fuzzPatience {
			t.Fatalf("took %v: %v", d, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > fuzzAlloc {
			t.Fatalf("allocated %d bytes: %v", n, err)
		}
	})
}

func loadAndRun(data []byte, rnd *rand.Rand) error {
	var m *onnx.Model
	if len(data) > 0 && data[0] == '<' {
		p, err := text.Parse(string(data))
		if err != nil {
			return err
		}
		m = &onnx.Model{Proto: p}
	} else {
		var err error
		if m, err = onnx.Parse(data); err != nil {
			return err
		}
	}
	s, err := New(m, MemoryLimit(fuzzMemory), Threads(2))
	if err != nil {
		return err
	}
	in := feeds{}
	sizes := map[string]int{}
	for _, p := range s.Inputs() {
		if v := randomValue(p.Type, sizes, rnd); v != nil {
			in[p.Name] = v
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), fuzzDeadline)
	defer cancel()
	_, err = s.Run(ctx, in)
	return err
}

// randomValue returns a small value of the type, or nil if it cannot be made.
func randomValue(typ tensor.Type, sizes map[string]int, rnd *rand.Rand) tensor.Value {
	switch typ.Kind {
	case tensor.KindSequence:
		seq := &tensor.Sequence{Elem: typ.Element()}
		for range rnd.IntN(3) {
			if v := randomValue(typ.Element(), sizes, rnd); v != nil {
				seq.Items = append(seq.Items, v)
			}
		}
		return seq
	case tensor.KindOptional:
		return &tensor.Optional{Elem: typ.Element(), Value: randomValue(typ.Element(), sizes, rnd)}
	case tensor.KindTensor:
		return randomTensor(typ, sizes, rnd)
	}
	return nil
}

func randomTensor(typ tensor.Type, sizes map[string]int, rnd *rand.Rand) tensor.Value {
	shape := tensor.Shape{}
	for _, d := range typ.Dims {
		n, ok := d.Int()
		if !ok {
			n = rnd.IntN(4)
			if sym, ok := d.Symbol(); ok {
				if _, seen := sizes[sym]; !seen {
					sizes[sym] = n
				}
				n = sizes[sym]
			}
		}
		shape = append(shape, n)
	}
	n, err := shape.CheckSize()
	if err != nil || n > 1<<16 || !typ.DType.Valid() {
		return nil
	}
	t := tensor.New(typ.DType, shape...)
	if typ.DType == tensor.String {
		for i := range t.Strs() {
			t.Strs()[i] = []string{"", "a b", "7", "ä,ö"}[rnd.IntN(4)]
		}
		return t
	}
	for i := range t.Bytes() {
		t.Bytes()[i] = byte(rnd.Uint32()) // any bits, or small numbers below
	}
	if rnd.IntN(4) > 0 {
		vals := make([]float64, n)
		for i := range vals {
			vals[i] = float64(rnd.IntN(7) - 2)
		}
		_ = t.SetFloats(vals) // complex types keep the bits
	}
	return t
}
