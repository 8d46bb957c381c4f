package vec

// Number is every type that Go's arithmetic works on.
type Number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// Add sets dst[i] = a[i] + b[i].
func Add[T Number](dst, a, b []T) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && addVec(d, any(a).([]float32), any(b).([]float32)) {
		return
	}
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

// AddScalar sets dst[i] = a[i] + s.
func AddScalar[T Number](dst, a []T, s T) {
	check(len(dst), len(a))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && addScalarVec(d, any(a).([]float32), float32(s)) {
		return
	}
	for i, v := range a {
		dst[i] = v + s
	}
}

// Sub sets dst[i] = a[i] - b[i].
func Sub[T Number](dst, a, b []T) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && subVec(d, any(a).([]float32), any(b).([]float32)) {
		return
	}
	for i, v := range a {
		dst[i] = v - b[i]
	}
}

// SubScalar sets dst[i] = a[i] - s.
func SubScalar[T Number](dst, a []T, s T) {
	check(len(dst), len(a))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && addScalarVec(d, any(a).([]float32), -float32(s)) {
		return
	}
	for i, v := range a {
		dst[i] = v - s
	}
}

// ScalarSub sets dst[i] = s - b[i].
func ScalarSub[T Number](dst []T, s T, b []T) {
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && scalarSubVec(d, any(b).([]float32), float32(s)) {
		return
	}
	for i, v := range b {
		dst[i] = s - v
	}
}

// Mul sets dst[i] = a[i] * b[i].
func Mul[T Number](dst, a, b []T) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && mulVec(d, any(a).([]float32), any(b).([]float32)) {
		return
	}
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

// MulScalar sets dst[i] = a[i] * s.
func MulScalar[T Number](dst, a []T, s T) {
	check(len(dst), len(a))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && mulScalarVec(d, any(a).([]float32), float32(s)) {
		return
	}
	for i, v := range a {
		dst[i] = v * s
	}
}

// Div sets dst[i] = a[i] / b[i]; integers are truncated towards zero, and a zero among b's integers panics.
func Div[T Number](dst, a, b []T) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && divVec(d, any(a).([]float32), any(b).([]float32)) {
		return
	}
	for i, v := range a {
		dst[i] = v / b[i]
	}
}

// DivScalar sets dst[i] = a[i] / s.
func DivScalar[T Number](dst, a []T, s T) {
	check(len(dst), len(a))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && divScalarVec(d, any(a).([]float32), float32(s)) {
		return
	}
	for i, v := range a {
		dst[i] = v / s
	}
}

// ScalarDiv sets dst[i] = s / b[i].
func ScalarDiv[T Number](dst []T, s T, b []T) {
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && scalarDivVec(d, any(b).([]float32), float32(s)) {
		return
	}
	for i, v := range b {
		dst[i] = s / v
	}
}

// Max sets dst[i] to the larger of a[i] and b[i], NaN if either is NaN.
func Max[T Number](dst, a, b []T) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && maximumVec(d, any(a).([]float32), any(b).([]float32)) {
		return
	}
	for i, v := range a {
		dst[i] = max(v, b[i])
	}
}

// Min sets dst[i] to the smaller of a[i] and b[i], NaN if either is NaN.
func Min[T Number](dst, a, b []T) {
	check(len(dst), len(a))
	check(len(dst), len(b))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && minimumVec(d, any(a).([]float32), any(b).([]float32)) {
		return
	}
	for i, v := range a {
		dst[i] = min(v, b[i])
	}
}

// Clip sets dst[i] = min(max(x[i], lo), hi); NaN stays NaN.
func Clip[T Number](dst, x []T, lo, hi T) {
	check(len(dst), len(x))
	if d, ok := any(dst).([]float32); ok && len(d) > 0 && clipVec(d, any(x).([]float32), float32(lo), float32(hi)) {
		return
	}
	for i, v := range x {
		if v < lo {
			v = lo
		}
		if v > hi {
			v = hi
		}
		dst[i] = v
	}
}

// MinMax returns the smallest and the largest element of x and of the given start values. NaNs are passed over.
func MinMax[T Number](x []T, lo, hi T) (T, T) {
	if x32, ok := any(x).([]float32); ok {
		n := minMaxVec(x32, any(&lo).(*float32), any(&hi).(*float32))
		x = x[n:]
	}
	for _, v := range x {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi
}
