package content_test

import (
	"math"
	"testing"

	"ream/content"
)

func TestPlus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ a, b, want int64 }{
		{0, 0, 0}, {1, 2, 3}, {5, -7, -2},
		{math.MaxInt64, 0, math.MaxInt64}, {math.MaxInt64, 1, math.MaxInt64}, {1 << 62, 1 << 62, math.MaxInt64}, {math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MinInt64, -1, math.MinInt64}, {math.MinInt64, math.MinInt64, math.MinInt64}, {math.MinInt64 + 1, -1, math.MinInt64},
		{math.MaxInt64, math.MinInt64, -1}, {math.MaxInt64, -5, math.MaxInt64 - 5},
	} {
		if a, b := content.Plus(tt.a, tt.b), content.Plus(tt.b, tt.a); a != tt.want || b != tt.want {
			t.Errorf("Plus(%d, %d): got %d, and the other way round %d, want %d", tt.a, tt.b, a, b, tt.want)
		}
	}
}
