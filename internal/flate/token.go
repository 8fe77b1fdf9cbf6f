package flate

import "math/bits"

// A token is one symbol of a block: the symbol, and from bit 9 on the value of the extra bits that follow its code. All
// symbols of a block share one alphabet, in which those of distances come last. So a match is two tokens, and whoever goes
// through tokens need not ask what they are.
type token = uint32

const (
	firstDist = 288 // the symbol of the shortest distance
	numSyms   = firstDist + numDists
	symMask   = 1<<9 - 1
)

// lengthTokens has the token of a match's length less 3.
var lengthTokens = func() (tokens [maxMatch - 2]token) {
	for n := range tokens {
		code := lengthSymbol(n)
		tokens[n] = token(257 + code | (n+3-lengthBase(code))<<9)
	}
	return tokens
}()

// extraBits has for each symbol the number of extra bits.
var extraBits = func() (extra [firstDist + 32]uint8) {
	for code := range numLits - 257 {
		extra[257+code] = uint8(lengthExtra(code))
	}
	for code := range numDists {
		extra[firstDist+code] = uint8(distExtra(code))
	}
	return extra
}()

// distTokens has the tokens of the 256 shortest distances, and behind them, for each 128 distances, the token of the first.
var distTokens = func() (tokens [512]token) {
	for i := range tokens {
		d := uint32(i) // less 1
		if i >= 256 {
			d = (d - 256) << 7
		}
		extra := uint(bits.Len32(d|2) - 2)
		tokens[i] = firstDist + 2*uint32(extra) + d>>extra + d&(1<<extra-1)<<9
	}
	return tokens
}()

// distToken returns the token of a distance. Whether that is short is anyone's guess, a processor's as well: so there is no
// branch on it.
func distToken(dist int) token {
	d := uint32(dist - 1)
	far := uint32(int32(255-d) >> 31) // all ones if it is not short
	return distTokens[(d&^far|(256+d>>7)&far)&511] + d&127&far<<9
}

// appendMatch appends the literals before a match, and the match.
func appendMatch(tokens []token, lits []byte, length, dist int) []token {
	return append(appendLiterals(tokens, lits), lengthTokens[length-3], distToken(dist))
}

func appendLiterals(tokens []token, lits []byte) []token {
	for _, c := range lits {
		tokens = append(tokens, token(c))
	}
	return tokens
}
