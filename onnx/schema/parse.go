package schema

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The tables have one line per operator version,
//
//	Name since flags|inputs|outputs|attributes|type variables
//
// sorted by name and version, after the line "domain NAME NEWEST". Items are
// separated by spaces:
//
//	flags       deprecated, function, extension, unchecked (any attribute is allowed), outputs=1,3 (the only counts)
//	parameters  X:T single, X?:T optional, X*1:T variadic with at least one, X~1:T the same of different types
//	attributes  axis:i integer, axis:i! required, axis:i=-1 default, axes:is=0,2 list; see attrCodes
//	variables   T=float,seq(float) or T=$3, a list named by an earlier line "types $3 …"
//
// Types leave out "tensor()" where it stands alone or innermost.
//
//go:embed onnx.txt
var onnxTable string

//go:embed microsoft.txt
var microsoftTable string

var attrCodes = map[string]AttrType{
	"f": AttrFloat, "i": AttrInt, "s": AttrString, "t": AttrTensor, "g": AttrGraph, "fs": AttrFloats, "is": AttrInts,
	"ss": AttrStrings, "ts": AttrTensors, "gs": AttrGraphs, "sp": AttrSparseTensor, "sps": AttrSparseTensors,
	"tp": AttrTypeProto, "tps": AttrTypeProtos,
}

type table struct {
	ops    []Op                 // sorted
	byName map[[2]string][2]int // domain and name to the range of their versions
	newest map[string]int
	sets   map[string]TypeSet // the named ones, and every list seen
}

var loaded = sync.OnceValue(func() *table {
	t, err := parse(onnxTable, microsoftTable)
	if err != nil {
		panic("schema: " + err.Error()) // the tables are part of the program
	}
	return t
})

func (t *table) versions(domain, name string) []Op {
	r := t.byName[[2]string{domain, name}]
	return t.ops[r[0]:r[1]:r[1]]
}

func parse(texts ...string) (*table, error) {
	t := &table{byName: map[[2]string][2]int{}, newest: map[string]int{}, sets: map[string]TypeSet{}}
	for _, text := range texts {
		if err := t.parse(text); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(t.ops, compareOps)
	for i, o := range t.ops {
		if i > 0 && compareOps(t.ops[i-1], o) == 0 {
			return nil, fmt.Errorf("%s-%d occurs twice", o.Name, o.Since)
		}
		key := [2]string{o.Domain, o.Name}
		r, ok := t.byName[key]
		if !ok {
			r[0] = i
		}
		r[1] = i + 1
		t.byName[key] = r
	}
	return t, nil
}

func (t *table) parse(text string) error {
	domain, n := "", 0
	clear(t.sets) // names hold within their file
	t.ops = slices.Grow(t.ops, strings.Count(text, "\n"))
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if line == "" || line[0] == '#' {
			continue
		}
		var err error
		switch head, rest, _ := strings.Cut(line, " "); head {
		case "types":
			name, list, _ := strings.Cut(rest, " ")
			t.sets[name], err = t.typeSet(list)
		case "domain":
			name, newest, _ := strings.Cut(rest, " ")
			var opset int
			opset, err = strconv.Atoi(newest)
			domain = Domain(name)
			t.newest[domain] = max(t.newest[domain], opset)
		default:
			var o Op
			o, err = t.op(domain, line)
			t.ops = append(t.ops, o)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

func (t *table) op(domain, line string) (Op, error) {
	o := Op{Domain: domain}
	var fields [5]string
	rest := line
	for i := range fields {
		var more bool
		fields[i], rest, more = strings.Cut(rest, "|")
		if more != (i < len(fields)-1) {
			return o, fmt.Errorf("%q does not have %d fields", line, len(fields))
		}
	}
	if err := o.parseHead(fields[0]); err != nil {
		return o, err
	}
	var err error
	if o.Constraints, err = t.constraints(fields[4]); err != nil {
		return o, err
	}
	if o.Inputs, o.MinIn, o.MaxIn, err = t.params(&o, fields[1]); err != nil {
		return o, err
	}
	if o.Outputs, o.MinOut, o.MaxOut, err = t.params(&o, fields[2]); err != nil {
		return o, err
	}
	o.Attrs, err = parseAttrs(fields[3])
	return o, err
}

func (o *Op) parseHead(s string) error {
	i := 0
	var err error
	for word := range strings.SplitSeq(s, " ") {
		counts, isCounts := strings.CutPrefix(word, "outputs=")
		switch {
		case i == 0:
			o.Name = word
		case i == 1:
			o.Since, err = strconv.Atoi(word)
		case word == "deprecated":
			o.Deprecated = true
		case word == "function":
			o.Function = true
		case word == "extension":
			o.Extension = true
		case word == "unchecked":
			o.AnyAttribute = true
		case isCounts:
			for c := range strings.SplitSeq(counts, ",") {
				n, e := strconv.Atoi(c)
				o.OutCounts, err = append(o.OutCounts, n), e
			}
		default:
			err = fmt.Errorf("unknown flag %q", word)
		}
		if err != nil {
			return err
		}
		i++
	}
	return nil
}

func items(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

func (t *table) constraints(s string) ([]Constraint, error) {
	words := items(s)
	cs := make([]Constraint, len(words))
	for i, w := range words {
		name, list, _ := strings.Cut(w, "=")
		set, err := t.typeSet(list)
		if err != nil {
			return nil, err
		}
		cs[i] = Constraint{name, set}
	}
	return cs, nil
}

// typeSet parses a comma-separated list of types or finds a named one.
func (t *table) typeSet(list string) (TypeSet, error) {
	if set, ok := t.sets[list]; ok {
		return set, nil
	}
	var set TypeSet
	depth, start := 0, 0
	for i := 0; i <= len(list); i++ {
		if i == len(list) || list[i] == ',' && depth == 0 {
			if err := set.add(list[start:i]); err != nil {
				return set, err
			}
			start = i + 1
			continue
		}
		switch list[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	t.sets[list] = set
	return set, nil
}

func (t *table) params(o *Op, s string) (ps []Param, least, most int, err error) {
	words := items(s)
	ps = make([]Param, len(words))
	for i, w := range words {
		colon := strings.IndexByte(w, ':')
		if colon < 0 {
			return nil, 0, 0, fmt.Errorf("parameter %q has no type", w)
		}
		p := Param{Name: w[:colon], Type: w[colon+1:]}
		most++
		switch mark := strings.IndexAny(p.Name, "?*~"); {
		case mark < 0:
			least = i + 1
		case p.Name[mark] == '?':
			p.Kind, p.Name = Optional, p.Name[:mark]
		default:
			n, e := strconv.Atoi(p.Name[mark+1:])
			if e != nil || i < len(words)-1 {
				return nil, 0, 0, fmt.Errorf("variadic parameter %q is not last or has no minimum", w)
			}
			p.Kind, p.Heterogeneous, p.Name = Variadic, p.Name[mark] == '~', p.Name[:mark]
			least, most = i+n, Unbounded
		}
		var variable bool
		if p.Types, variable = o.Constraint(p.Type); !variable {
			if p.Types, err = t.typeSet(p.Type); err != nil {
				return nil, 0, 0, err
			}
			if only, ok := p.Types.Only(); ok {
				p.Type = TypeString(only)
			}
		}
		ps[i] = p
	}
	return ps, least, most, nil
}

func parseAttrs(s string) ([]Attr, error) {
	words := items(s)
	as := make([]Attr, len(words))
	for i, w := range words {
		name, typ, _ := strings.Cut(w, ":")
		a := Attr{Name: name}
		typ, value, has := strings.Cut(typ, "=")
		typ, a.Required = strings.CutSuffix(typ, "!")
		if a.Type = attrCodes[typ]; a.Type == AttrUndefined {
			return nil, fmt.Errorf("attribute %q has no type", w)
		}
		if has {
			var err error
			if a.Default, err = parseDefault(a.Type, value); err != nil {
				return nil, fmt.Errorf("attribute %q: %w", w, err)
			}
		}
		as[i] = a
	}
	return as, nil
}

func parseDefault(t AttrType, s string) (any, error) {
	switch t {
	case AttrInt:
		return strconv.ParseInt(s, 10, 64)
	case AttrFloat:
		return parseFloat(s)
	case AttrString:
		return s, nil
	case AttrInts:
		return parseList(s, func(v string) (int64, error) { return strconv.ParseInt(v, 10, 64) })
	case AttrFloats:
		return parseList(s, parseFloat)
	case AttrStrings:
		return strings.Split(s, ","), nil
	}
	return nil, fmt.Errorf("no default for type %v", t)
}

func parseFloat(s string) (float32, error) {
	f, err := strconv.ParseFloat(s, 32)
	return float32(f), err
}

func parseList[T any](s string, one func(string) (T, error)) ([]T, error) {
	var list []T
	for v := range strings.SplitSeq(s, ",") {
		x, err := one(v)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}
