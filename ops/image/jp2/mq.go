package jp2

// mqStates is the probability table of the MQ coder (ISO/IEC 15444-1, table C.2): the estimate, the next state after the
// more and the less probable symbol, and whether the latter exchanges the two.
var mqStates = [47]struct {
	qe        uint32
	mps, lps  uint8
	exchanges uint8
}{
	{0x5601, 1, 1, 1}, {0x3401, 2, 6, 0}, {0x1801, 3, 9, 0}, {0x0AC1, 4, 12, 0}, {0x0521, 5, 29, 0}, {0x0221, 38, 33, 0},
	{0x5601, 7, 6, 1}, {0x5401, 8, 14, 0}, {0x4801, 9, 14, 0}, {0x3801, 10, 14, 0}, {0x3001, 11, 17, 0}, {0x2401, 12, 18, 0},
	{0x1C01, 13, 20, 0}, {0x1601, 29, 21, 0}, {0x5601, 15, 14, 1}, {0x5401, 16, 14, 0}, {0x5101, 17, 15, 0}, {0x4801, 18, 16, 0},
	{0x3801, 19, 17, 0}, {0x3401, 20, 18, 0}, {0x3001, 21, 19, 0}, {0x2801, 22, 19, 0}, {0x2401, 23, 20, 0}, {0x2201, 24, 21, 0},
	{0x1C01, 25, 22, 0}, {0x1801, 26, 23, 0}, {0x1601, 27, 24, 0}, {0x1401, 28, 25, 0}, {0x1201, 29, 26, 0}, {0x1101, 30, 27, 0},
	{0x0AC1, 31, 28, 0}, {0x09C1, 32, 29, 0}, {0x08A1, 33, 30, 0}, {0x0521, 34, 31, 0}, {0x0441, 35, 32, 0}, {0x02A1, 36, 33, 0},
	{0x0221, 37, 34, 0}, {0x0141, 38, 35, 0}, {0x0111, 39, 36, 0}, {0x0085, 40, 37, 0}, {0x0049, 41, 38, 0}, {0x0025, 42, 39, 0},
	{0x0015, 43, 40, 0}, {0x0009, 44, 41, 0}, {0x0005, 45, 42, 0}, {0x0001, 45, 43, 0}, {0x5601, 46, 46, 0},
}

// The contexts: 0 to 8 for significance, 9 to 13 for signs, 14 to 16 for refinement.
const (
	ctxSign, ctxRefine, ctxRun, ctxUniform = 9, 14, 17, 18
	contexts                               = 19
)

// mq is the arithmetic decoder.
type mq struct {
	data  []byte
	pos   int
	c, a  uint32
	ct    int
	state [contexts]uint8
	mps   [contexts]uint8
}

func newMQ(data []byte) *mq {
	m := &mq{data: data}
	m.reset()
	m.c = uint32(m.at(0)) << 16
	m.fill()
	m.c <<= 7
	m.ct -= 7
	m.a = 0x8000
	return m
}

func (m *mq) reset() {
	m.state, m.mps = [contexts]uint8{}, [contexts]uint8{}
	m.state[0], m.state[ctxRun], m.state[ctxUniform] = 4, 3, 46
}

// at returns a byte; the end of the data looks like a marker.
func (m *mq) at(i int) byte {
	if i < len(m.data) {
		return m.data[i]
	}
	return 0xFF
}

func (m *mq) fill() {
	switch {
	case m.at(m.pos) != 0xFF:
		m.pos++
		m.c += uint32(m.at(m.pos)) << 8
		m.ct = 8
	case m.at(m.pos+1) > 0x8F:
		m.c += 0xFF00
		m.ct = 8
	default:
		m.pos++
		m.c += uint32(m.at(m.pos)) << 9
		m.ct = 7
	}
}

// bit decodes a symbol in a context.
func (m *mq) bit(ctx int) int {
	s := &mqStates[m.state[ctx]]
	m.a -= s.qe
	d := m.mps[ctx]
	less := false
	if m.c>>16 < s.qe {
		less = m.a >= s.qe
		m.a = s.qe
	} else {
		m.c -= s.qe << 16
		if m.a&0x8000 != 0 {
			return int(d)
		}
		less = m.a < s.qe
	}
	if less {
		d ^= 1
		m.mps[ctx] ^= s.exchanges
		m.state[ctx] = s.lps
	} else {
		m.state[ctx] = s.mps
	}
	for m.a&0x8000 == 0 {
		if m.ct == 0 {
			m.fill()
		}
		m.a <<= 1
		m.c <<= 1
		m.ct--
	}
	return int(d)
}
