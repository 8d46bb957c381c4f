package text

import (
	"fmt"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of graphs and types.
const maxDepth = 60

// Error is a syntax error. Line and Column count from 1; columns count bytes.
type Error struct {
	Line, Column int
	Message      string
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// parser is a recursive descent parser over src. Its methods panic with an *Error, which parse catches.
type parser struct {
	src   string
	pos   int
	depth int
}

// parse runs f over all of src.
func parse[T any](src string, f func(*parser) T) (v T, err error) {
	p := &parser{src: src}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		default:
			panic(r)
		}
	}()
	v = f(p)
	if p.peek() != 0 {
		p.fail("%s after the end", p.found())
	}
	return v, nil
}

func (p *parser) fail(format string, args ...any) { p.failAt(p.pos, format, args...) }

func (p *parser) failAt(pos int, format string, args ...any) {
	before := p.src[:pos]
	line := strings.Count(before, "\n")
	panic(&Error{line + 1, pos - strings.LastIndexByte(before, '\n'), fmt.Sprintf(format, args...)})
}

// nest is called on entering a nested construct; the function it returns on leaving it.
func (p *parser) nest() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested deeper than %d levels", maxDepth)
	}
	return func() { p.depth-- }
}

// peek skips white space and comments and returns the next character, or 0 at the end.
func (p *parser) peek() byte {
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; c {
		case ' ', '\t', '\n', '\v', '\f', '\r':
			p.pos++
		case '#':
			n := strings.IndexByte(p.src[p.pos:], '\n')
			if n < 0 {
				n = len(p.src) - p.pos
			}
			p.pos += n
		default:
			return c
		}
	}
	return 0
}

// found describes what comes next, for messages.
func (p *parser) found() string {
	c := p.peek()
	if c == 0 {
		return "the end of the text"
	}
	if id := p.peekID(); id != "" {
		return strconv.Quote(id)
	}
	return strconv.QuoteRune([]rune(p.src[p.pos:min(p.pos+4, len(p.src))])[0])
}

// accept consumes c if it comes next.
func (p *parser) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expect(c byte) {
	if !p.accept(c) {
		p.fail("expected %q, found %s", c, p.found())
	}
}

// list calls item for each element up to the closing character; open was consumed. The list may be empty.
func (p *parser) list(closing byte, item func()) {
	if p.accept(closing) {
		return
	}
	for item(); p.accept(','); {
		item()
	}
	p.expect(closing)
}

func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// peekID returns the identifier that comes next, or "".
func (p *parser) peekID() string {
	p.peek()
	end := p.pos
	for end < len(p.src) && (isAlpha(p.src[end]) || end > p.pos && isDigit(p.src[end])) {
		end++
	}
	return p.src[p.pos:end]
}

func (p *parser) id() string {
	id := p.peekID()
	if id == "" {
		p.fail("expected a name, found %s", p.found())
	}
	p.pos += len(id)
	return id
}

// name is an identifier or a quoted string.
func (p *parser) name() string {
	if p.peek() == '"' {
		return p.quoted()
	}
	return p.id()
}

// quoted is a string in double quotes, in which a backslash stands before any character that is meant literally.
func (p *parser) quoted() string {
	start := p.pos
	if p.peek() != '"' {
		p.fail("expected a quoted string, found %s", p.found())
	}
	end := p.pos + 1
	for ; end < len(p.src) && p.src[end] != '"'; end++ {
		if p.src[end] == '\\' {
			end++
		}
	}
	if end >= len(p.src) {
		p.failAt(start, "the quoted string does not end")
	}
	s := p.src[p.pos+1 : end]
	p.pos = end + 1
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// number returns the text of a numeric literal and whether it is an integer.
func (p *parser) number() (lit string, integer bool) {
	p.peek()
	start, end := p.pos, p.pos
	digits := func() {
		for end < len(p.src) && isDigit(p.src[end]) {
			end++
		}
	}
	at := func(set string) bool { return end < len(p.src) && strings.IndexByte(set, p.src[end]) >= 0 }
	if at("-") {
		end++
	}
	if end < len(p.src) && isAlpha(p.src[end]) {
		word := (&parser{src: p.src, pos: end}).peekID()
		if !isSpecialFloat(word) {
			p.fail("expected a number, found %s", p.found())
		}
		p.pos = end + len(word)
		return p.src[start:p.pos], false
	}
	integer = true
	if digits(); at(".") {
		integer = false
		end++
		digits()
	}
	if at("eE") {
		integer = false
		end++
		if at("+-") {
			end++
		}
		digits()
	}
	if strings.Trim(p.src[start:end], "-") == "" {
		p.fail("expected a number, found %s", p.found())
	}
	p.pos = end
	return p.src[start:end], integer
}

func isSpecialFloat(word string) bool {
	switch strings.ToLower(word) {
	case "inf", "infinity", "nan":
		return true
	}
	return false
}

func (p *parser) int() int64 {
	p.peek()
	start := p.pos
	lit, _ := p.number()
	n, err := strconv.ParseInt(lit, 10, 64)
	if err != nil {
		p.failAt(start, "%s is not an int64", lit)
	}
	return n
}

// float parses a number of that many bits. A number that is too large for it is an error.
func (p *parser) float(bits int) float64 {
	p.peek()
	start := p.pos
	lit, _ := p.number()
	f, err := strconv.ParseFloat(strings.TrimPrefix(lit, "-"), bits)
	if err != nil {
		p.failAt(start, "%s is not a float of %d bits", lit, bits)
	}
	if strings.HasPrefix(lit, "-") {
		f = -f
	}
	return f
}
