package contrib

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func init() {
	ops.Register(plainOp("Tokenizer", newTokenizer))
}

// The marks around the tokens of a text: the control characters for its start and end.
const startOfText, endOfText = "\x02", "\x03"

// tokenizer is Tokenizer: X (C) or (N, C) of texts → (…, tokens), padded. Tokens are characters (the only separator is
// empty), what lies between separators, or what an expression matches; short ones are left out.
type tokenizer struct {
	mark, chars bool
	shortest    int
	pad         string
	separators  []*regexp.Regexp
	match       *regexp.Regexp
}

func newTokenizer(a *ops.Attrs) (ops.Op, error) {
	o := tokenizer{mark: a.Bool("mark", false), shortest: a.Int("mincharnum", 1), pad: a.String("pad_value", "")}
	expression, separators := a.String("tokenexp", ""), a.Strings("separators")
	if (expression == "") == (len(separators) == 0) || o.shortest < 1 {
		a.Errorf("separators %q, tokenexp %q, mincharnum %d", separators, expression, o.shortest)
	}
	if o.chars = len(separators) == 1 && separators[0] == ""; o.chars && o.shortest > 1 {
		a.Errorf("mincharnum %d for characters", o.shortest)
	}
	var err error
	if expression != "" {
		if o.match, err = regexp.Compile(expression); err != nil {
			return nil, fmt.Errorf("tokenexp: %w", err)
		}
	}
	for _, s := range separators {
		e, err := regexp.Compile(s)
		if err != nil || s == "" && !o.chars {
			return nil, fmt.Errorf("separator %q: %w", s, err)
		}
		o.separators = append(o.separators, e)
	}
	return o, a.Done()
}

// Infer implements ops.Op.
func (o tokenizer) Infer(c *ops.Infer) error {
	c.SetDType(0, tensor.String)
	if dims, ok := c.Dims(0); ok {
		c.SetOut(0, tensor.String, append(append([]tensor.Dim{}, dims...), tensor.Dim{})...)
	}
	return nil
}

// Run implements ops.Op.
func (o tokenizer) Run(c *ops.Ctx) error {
	x := c.Tensor(0)
	if err := rank(x, "input", 1, 2); err != nil {
		return err
	}
	tokens, most := make([][]string, x.Len()), 0
	for i, s := range x.Strs() {
		if !utf8.ValidString(s) {
			return fmt.Errorf("text %d is not UTF-8", i)
		}
		tokens[i] = o.split(s)
		most = max(most, len(tokens[i]))
	}
	if o.mark && most > 0 {
		most += 2
	}
	out, err := c.New(0, tensor.String, append(x.Shape().Clone(), most))
	if err != nil {
		return err
	}
	for i, ts := range tokens {
		row := out.Strs()[i*most : (i+1)*most]
		n := 0
		if o.mark && most > 0 {
			row[0] = startOfText
			n = 1
		}
		n += copy(row[n:], ts)
		if o.mark && most > 0 {
			row[n] = endOfText
			n++
		}
		for ; n < most; n++ {
			row[n] = o.pad
		}
	}
	return nil
}

// split returns the tokens of a text.
func (o tokenizer) split(s string) []string {
	var all []string
	switch {
	case o.chars:
		for _, r := range s {
			all = append(all, string(r))
		}
	case o.match != nil:
		all = o.match.FindAllString(s, -1)
	default:
		all = []string{s}
		for _, e := range o.separators {
			var parts []string
			for _, t := range all {
				parts = append(parts, e.Split(t, -1)...)
			}
			all = parts
		}
	}
	var long []string
	for _, t := range all {
		if utf8.RuneCountInString(t) >= o.shortest {
			long = append(long, t)
		}
	}
	return long
}
