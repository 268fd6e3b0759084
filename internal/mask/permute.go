package mask

import (
	"math/big"
	"strconv"
)

// rounds of the network; format-preserving encryption uses ten as well.
const rounds = 10

// permute is a permutation of the numbers from 0 to n-1. Different tweaks give different permutations. It is a Feistel
// network over the next even number of bits, repeated until the result is in the range.
func (m Masker) permute(x, n *big.Int, tweak string) *big.Int {
	last := new(big.Int).Sub(n, big.NewInt(1))
	if last.Sign() <= 0 {
		return new(big.Int)
	}
	half := uint(last.BitLen()+1) / 2
	at := x
	for {
		if at = m.network(at, half, n.String()+" "+tweak); at.Cmp(n) < 0 {
			return at
		}
	}
}

func (m Masker) network(x *big.Int, half uint, tweak string) *big.Int {
	all := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), half), big.NewInt(1))
	left, right := new(big.Int).Rsh(x, half), new(big.Int).And(x, all)
	for round := range rounds {
		mixed := new(big.Int).SetBytes(m.stream("round "+strconv.Itoa(round)+" "+tweak, right.String(), int(half+7)/8))
		mixed.And(mixed, all)
		left, right = right, mixed.Xor(mixed, left)
	}
	return left.Lsh(left, half).Or(left, right)
}
