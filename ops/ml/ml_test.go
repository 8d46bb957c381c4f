package ml

import (
	"math"
	"testing"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
	"github.com/sardonyx-ml/sardonyx/ops/opstest"
)

func call(name string, opset, outputs int, attrs opstest.Attrs) opstest.Call {
	return opstest.Call{Domain: ops.ML, Name: name, Opset: opset, Outputs: outputs, Attrs: attrs}
}

func strs(s ...string) *tensor.Tensor { return tensor.Strings(tensor.Shape{len(s)}, s) }

func rows(r int, v ...float32) *tensor.Tensor { return tensor.Of(tensor.Shape{r, len(v) / r}, v) }

func TestFeatures(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name  string
		opset int
		attrs opstest.Attrs
		in    []tensor.Value
		want  *tensor.Tensor
	}{
		{"ArrayFeatureExtractor", 1, nil, []tensor.Value{strs("a", "b", "c"), tensor.Vector[int64](2, 0)}, tensor.Strings(tensor.Shape{1, 2}, []string{"c", "a"})},
		{"ArrayFeatureExtractor", 1, nil, []tensor.Value{rows(2, 1, 2, 3, 4), tensor.Vector[int64](1)}, rows(2, 2, 4)},
		{"Binarizer", 1, opstest.Attrs{"threshold": 1.0}, []tensor.Value{tensor.Vector[int64](0, 1, 2)}, tensor.Vector[int64](0, 0, 1)},
		{"FeatureVectorizer", 1, opstest.Attrs{"inputdimensions": []int{1, 3}}, []tensor.Value{rows(2, 1, 2, 3, 4), rows(2, 5, 6, 7, 8)}, rows(2, 1, 5, 6, 0, 3, 7, 8, 0)},
		{"Imputer", 1, opstest.Attrs{"imputed_value_floats": []float64{1, 2}, "replaced_value_float": math.NaN()}, []tensor.Value{rows(2, nan, nan, 0, nan)}, rows(2, 1, 2, 0, 2)},
		{"Imputer", 1, opstest.Attrs{"imputed_value_int64s": []int{9}, "replaced_value_int64": -1}, []tensor.Value{tensor.Vector[int32](-1, 1)}, tensor.Vector[int32](9, 1)},
		{"Scaler", 1, opstest.Attrs{"offset": []float64{1, 2}, "scale": []float64{2}}, []tensor.Value{rows(2, 1, 2, 3, 5)}, rows(2, 0, 0, 4, 6)},
		{"Normalizer", 1, nil, []tensor.Value{rows(3, 0, 0, -1, -2, 1, -5)}, rows(3, 0, 0, 1, 2, 1, -5)},
		{"Normalizer", 1, opstest.Attrs{"norm": "L1"}, []tensor.Value{rows(1, 1, -3)}, rows(1, 0.25, -0.75)},
		{"Normalizer", 1, opstest.Attrs{"norm": "L2"}, []tensor.Value{rows(1, 3, -4)}, rows(1, 0.6, -0.8)},
		{"OneHotEncoder", 1, opstest.Attrs{"cats_int64s": []int64{1, 5}}, []tensor.Value{tensor.Vector[float32](5.7, 3, 1)}, rows(3, 0, 1, 0, 0, 1, 0)},
		{"LabelEncoder", 1, opstest.Attrs{"classes_strings": []string{"a", "b"}}, []tensor.Value{strs("b", "?")}, tensor.Vector[int64](1, -1)},
		{"LabelEncoder", 1, opstest.Attrs{"classes_strings": []string{"a", "b"}}, []tensor.Value{tensor.Vector[int64](1, 7)}, strs("b", "_Unused")},
		{"LabelEncoder", 2, opstest.Attrs{"keys_floats": []float64{2, 2, math.NaN()}, "values_strings": []string{"y", "z", "n"}}, []tensor.Value{tensor.Vector(2, nan)}, strs("y", "_Unused")},
		{"LabelEncoder", 4, opstest.Attrs{"keys_tensor": tensor.Vector(1.5, math.NaN()), "values_tensor": tensor.Vector[int16](4, 5), "default_tensor": tensor.Vector[int16](-9)},
			[]tensor.Value{tensor.Vector(math.NaN(), 1.5, 2)}, tensor.Vector[int16](5, 4, -9)},
		{"CategoryMapper", 1, opstest.Attrs{"cats_int64s": []int64{1, 2}, "cats_strings": []string{"a", "b"}}, []tensor.Value{tensor.Vector[int64](2, 3)}, strs("b", "_Unused")},
	} {
		opstest.Equal(t, opstest.Run1(t, call(c.name, c.opset, 1, c.attrs), c.in...), c.want, 1e-6, 0)
	}
	for name, in := range map[string][]tensor.Value{
		"ArrayFeatureExtractor": {rows(1, 1, 2), tensor.Vector[int64](2)},
		"FeatureVectorizer":     {rows(1, 1, 2)},
		"Normalizer":            {tensor.New(tensor.Float32, 1, 1, 1)},
	} {
		if _, err := opstest.Run(t, call(name, 1, 1, nil), in...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := opstest.Run(t, call("OneHotEncoder", 1, 1, opstest.Attrs{"cats_int64s": []int64{1}, "zeros": 0}), tensor.Vector[int64](2)); err == nil {
		t.Error("an unknown category is accepted")
	}
}

func TestMaps(t *testing.T) {
	m := &tensor.Map{Key: tensor.Int64, Ints: []int64{3, 0}, Values: tensor.Vector[float32](1.5, 2)}
	got := opstest.Run1(t, call("CastMap", 1, 1, nil), m)
	opstest.Equal(t, got, rows(1, 2, 1.5), 0, 0)
	got = opstest.Run1(t, call("CastMap", 1, 1, opstest.Attrs{"map_form": "SPARSE", "max_map": 5}), m)
	opstest.Equal(t, got, rows(1, 2, 0, 0, 1.5, 0), 0, 0)
	got = opstest.Run1(t, call("CastMap", 1, 1, opstest.Attrs{"cast_to": "TO_INT64"}), &tensor.Map{Key: tensor.Int64, Ints: []int64{3}, Values: strs("42")})
	opstest.Equal(t, got, tensor.Of(tensor.Shape{1, 1}, []int64{42}), 0, 0)
	got = opstest.Run1(t, call("DictVectorizer", 1, 1, opstest.Attrs{"string_vocabulary": []string{"b", "x", "a"}}),
		&tensor.Map{Key: tensor.String, Strs: []string{"a", "b"}, Values: tensor.Vector[int64](1, 2)})
	opstest.Equal(t, got, tensor.Of(tensor.Shape{1, 3}, []int64{2, 0, 1}), 0, 0)
	out, err := opstest.Run(t, call("ZipMap", 1, 1, opstest.Attrs{"classlabels_strings": []string{"a", "b"}}), rows(2, 1, 2, 3, 4))
	if err != nil {
		t.Fatal(err)
	}
	if z := out[0].(*tensor.Sequence); len(z.Items) != 2 || z.Items[1].(*tensor.Map).Values.Float32()[0] != 3 {
		t.Errorf("got %v", z)
	}
	if _, err := opstest.Run(t, call("CastMap", 1, 1, opstest.Attrs{"map_form": "SPARSE", "max_map": 2}), m); err == nil {
		t.Error("a key beyond max_map is accepted")
	}
}

func TestLinear(t *testing.T) {
	x := rows(2, 1, 2, -1, 0)
	// The sums are 1·1+2·2+0.5 = 5.5 and -0.5.
	one := opstest.Attrs{"coefficients": []float64{1, 2}, "intercepts": []float64{0.5}}
	opstest.Equal(t, opstest.Run1(t, call("LinearRegressor", 1, 1, one), x), rows(2, 5.5, -0.5), 1e-6, 0)
	one["classlabels_ints"] = []int64{3, 4}
	for _, c := range []struct {
		post string
		want *tensor.Tensor
	}{
		{"NONE", rows(2, -4.5, 5.5, 1.5, -0.5)},
		{"LOGISTIC", rows(2, 0.00407014, 0.99592986, 0.62245933, 0.37754067)},
	} {
		one["post_transform"] = c.post
		out, err := opstest.Run(t, call("LinearClassifier", 1, 2, one), x)
		if err != nil {
			t.Fatal(err)
		}
		opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector[int64](4, 3), 0, 0)
		opstest.Equal(t, out[1].(*tensor.Tensor), c.want, 1e-5, 0)
	}
	three := opstest.Attrs{"coefficients": []float64{1, 0, 0, 1, 1, 1}, "intercepts": []float64{0, 0, -2}, "classlabels_strings": []string{"a", "b", "c"}, "post_transform": "SOFTMAX"}
	out, err := opstest.Run(t, call("LinearClassifier", 1, 2, three), x)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), strs("b", "b"), 0, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), rows(2, 0.21194156, 0.57611688, 0.21194156, 0.25949646, 0.70538451, 0.03511903), 1e-5, 0)
	if _, err := opstest.Run(t, call("LinearRegressor", 1, 1, one), rows(1, 1, 2, 3)); err == nil {
		t.Error("a row of another length is accepted")
	}
}

func TestSVM(t *testing.T) {
	x := rows(1, 1, 2)
	attrs := opstest.Attrs{"kernel_type": "RBF", "kernel_params": []float64{0.5, 0, 0}, "support_vectors": []float64{1, 2, 1, 0}, "coefficients": []float64{2, 3}, "n_supports": 2, "rho": []float64{0.25}}
	want := float32(2 + 3*math.Exp(-2) + 0.25)
	opstest.Equal(t, opstest.Run1(t, call("SVMRegressor", 1, 1, attrs), x), rows(1, want), 1e-6, 0)
	attrs["one_class"] = 1
	opstest.Equal(t, opstest.Run1(t, call("SVMRegressor", 1, 1, attrs), x), rows(1, 1), 0, 0)
	two := opstest.Attrs{"support_vectors": []float64{1, 0, 0, 1}, "coefficients": []float64{1, -2}, "vectors_per_class": []int64{1, 1}, "rho": []float64{0.5},
		"classlabels_ints": []int64{7, 8}}
	out, err := opstest.Run(t, call("SVMClassifier", 1, 2, two), x) // 1·1 - 2·2 + 0.5 = -2.5, for the second class
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector[int64](8), 0, 0)
	opstest.Equal(t, out[1].(*tensor.Tensor), rows(1, 2.5, -2.5), 1e-6, 0)
	two["prob_a"], two["prob_b"] = []float64{-1}, []float64{0}
	out, err = opstest.Run(t, call("SVMClassifier", 1, 2, two), x)
	if err != nil {
		t.Fatal(err)
	}
	p := float32(1 / (1 + math.Exp(2.5)))
	opstest.Equal(t, out[1].(*tensor.Tensor), rows(1, p, 1-p), 2e-2, 0)
	two["rho"] = []float64{}
	if _, err := opstest.New(call("SVMClassifier", 1, 2, two)); err == nil {
		t.Error("a machine without rho is accepted")
	}
}

// stump is one tree of one test x₀ ≤ 0 with the given leaf weights; kind is target or class.
func stump(kind string, yes, no []float64, targets []int64) opstest.Attrs {
	a := opstest.Attrs{
		"nodes_treeids": []int64{0, 0, 0}, "nodes_nodeids": []int64{0, 1, 2}, "nodes_featureids": []int64{0, 0, 0}, "nodes_modes": []string{"BRANCH_LEQ", "LEAF", "LEAF"},
		"nodes_truenodeids": []int64{1, 0, 0}, "nodes_falsenodeids": []int64{2, 0, 0}, "nodes_values": []float64{0, 0, 0},
	}
	var trees, ids, to []int64
	var w []float64
	for k, list := range [][]float64{yes, no} {
		for i, v := range list {
			trees, ids, to, w = append(trees, 0), append(ids, int64(k+1)), append(to, targets[i]), append(w, v)
		}
	}
	a[kind+"_treeids"], a[kind+"_nodeids"], a[kind+"_ids"], a[kind+"_weights"] = trees, ids, to, w
	return a
}

func TestTreeRegressor(t *testing.T) {
	nan := float32(math.NaN())
	x := rows(3, -1, 2, nan)
	a := stump("target", []float64{10}, []float64{20}, []int64{0})
	a["n_targets"], a["base_values"] = 1, []float64{0.5}
	opstest.Equal(t, opstest.Run1(t, call("TreeEnsembleRegressor", 3, 1, a), x), rows(3, 10.5, 20.5, 20.5), 0, 0)
	a["nodes_missing_value_tracks_true"] = []int64{1, 0, 0}
	opstest.Equal(t, opstest.Run1(t, call("TreeEnsembleRegressor", 1, 1, a), x), rows(3, 10.5, 20.5, 10.5), 0, 0)
	a["nodes_truenodeids"] = []int64{0, 0, 0}
	if _, err := opstest.New(call("TreeEnsembleRegressor", 3, 1, a)); err == nil {
		t.Error("a cycle is accepted")
	}
	a["nodes_truenodeids"] = []int64{5, 0, 0}
	if _, err := opstest.New(call("TreeEnsembleRegressor", 3, 1, a)); err == nil {
		t.Error("a branch to nowhere is accepted")
	}
}

func TestTreeClassifier(t *testing.T) {
	x := rows(2, -1, 2)
	labels := []int64{10, 20}
	// Labels and scores as ONNX Runtime gives them.
	for _, c := range []struct {
		name    string
		yes, no []float64
		ids     []int64
		post    string
		label   []int64
		scores  *tensor.Tensor
	}{
		{"one probability", []float64{0.25}, []float64{0.75}, []int64{0}, "NONE", []int64{10, 20}, rows(2, 0.75, 0.25, 0.25, 0.75)},
		{"one margin", []float64{-1}, []float64{2}, []int64{0}, "NONE", []int64{10, 20}, rows(2, 1, -1, -2, 2)},
		{"one margin, logistic", []float64{-1}, []float64{2}, []int64{0}, "LOGISTIC", []int64{10, 20}, rows(2, 0.73105858, 0.26894142, 0.11920292, 0.88079708)},
		{"second class only", []float64{0.25}, []float64{0.75}, []int64{1}, "NONE", []int64{10, 20}, rows(2, 0, 0.25, 0, 0.75)},
		{"both", []float64{1, -1}, []float64{-2, 2}, []int64{0, 1}, "SOFTMAX", []int64{10, 20}, rows(2, 0.88079708, 0.11920292, 0.01798621, 0.98201379)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := stump("class", c.yes, c.no, c.ids)
			a["classlabels_int64s"], a["post_transform"] = labels, c.post
			out, err := opstest.Run(t, call("TreeEnsembleClassifier", 3, 2, a), x)
			if err != nil {
				t.Fatal(err)
			}
			opstest.Equal(t, out[0].(*tensor.Tensor), tensor.Vector(c.label...), 0, 0)
			opstest.Equal(t, out[1].(*tensor.Tensor), c.scores, 1e-5, 0)
		})
	}
	a := stump("class", []float64{1, 2, 3}, []float64{3, 3, 1}, []int64{0, 1, 2})
	a["classlabels_strings"] = []string{"a", "b", "c"}
	out, err := opstest.Run(t, call("TreeEnsembleClassifier", 1, 2, a), x)
	if err != nil {
		t.Fatal(err)
	}
	opstest.Equal(t, out[0].(*tensor.Tensor), strs("c", "a"), 0, 0)
	if _, err := opstest.Run(t, call("TreeEnsembleClassifier", 1, 2, a), tensor.New(tensor.Float32, 2, 0)); err == nil {
		t.Error("a row without features is accepted")
	}
}

func TestTreeEnsemble(t *testing.T) {
	a := opstest.Attrs{
		"nodes_featureids": []int64{0, 1}, "nodes_modes": tensor.Vector[uint8](0, 6), "nodes_splits": tensor.Vector[float32](1, 0),
		"nodes_truenodeids": []int64{1, 0}, "nodes_trueleafs": []int64{0, 1}, "nodes_falsenodeids": []int64{2, 1}, "nodes_falseleafs": []int64{1, 1},
		"membership_values": tensor.Vector(3, 5, float32(math.NaN())), "leaf_targetids": []int64{0, 1, 1}, "leaf_weights": tensor.Vector[float32](1, 2, 4),
		"tree_roots": []int64{0}, "n_targets": 2,
	}
	x := rows(3, 0, 5, 0, 4, 2, 5)
	opstest.Equal(t, opstest.Run1(t, call("TreeEnsemble", 5, 1, a), x), rows(3, 1, 0, 0, 2, 0, 4), 0, 0)
	a["nodes_falsenodeids"] = []int64{3, 1}
	if _, err := opstest.New(call("TreeEnsemble", 5, 1, a)); err == nil {
		t.Error("a leaf that does not exist is accepted")
	}
}
