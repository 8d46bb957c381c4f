package nn

// twister is the 32-bit Mersenne Twister of Matsumoto and Nishimura (https://doi.org/10.1145/272991.272995), MT19937, which is also
// the generator behind numpy.random.RandomState.
type twister struct {
	state [twisterSize]uint32
	next  int
}

const twisterSize = 624

func newTwister(seed uint32) *twister {
	t := &twister{next: twisterSize}
	for i := range t.state {
		t.state[i] = seed
		seed = 1812433253*(seed^seed>>30) + uint32(i) + 1
	}
	return t
}

// uint32 returns the next 32 random bits.
func (t *twister) uint32() uint32 {
	const n, m = twisterSize, 397
	if t.next == n {
		t.next = 0
		for i := range t.state {
			y := t.state[i]&0x80000000 | t.state[(i+1)%n]&0x7FFFFFFF
			v := t.state[(i+m)%n] ^ y>>1
			if y&1 != 0 {
				v ^= 0x9908B0DF
			}
			t.state[i] = v
		}
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9D2C5680
	y ^= y << 15 & 0xEFC60000
	return y ^ y>>18
}

// float64 returns a uniform number in [0, 1) of 53 random bits.
func (t *twister) float64() float64 {
	a, b := t.uint32()>>5, t.uint32()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}
