package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is worse than allowed, without -strict, with it, and with -complete too.
func TestTooBad(t *testing.T) {
	for _, test := range []struct {
		behavior, close string
		loosely, strict bool
	}{
		{verdictOK, verdictOK, false, false},
		{verdictOK, closeFailedByClient, false, true},
		{verdictOK, closeWrongCode, false, true},
		{verdictOK, closeUnclean, true, true},
		{verdictOK, verdictFailed, true, true},
		{verdictNonStrict, verdictOK, false, true},
		{verdictNonStrict, closeUnclean, true, true},
		{verdictInformational, verdictInformational, false, false},
		{verdictUnimplemented, verdictOK, false, false},
		{verdictUnimplemented, closeWrongCode, false, true},
		{verdictUnimplemented, closeUnclean, true, true},
		{verdictFailed, verdictOK, true, true},
	} {
		r := &run{c: &testCase{id: "1.1.1"}, verdict: verdict{behavior: test.behavior, behaviorClose: test.close}}
		require.Equal(t, test.loosely, newProgress(io.Discard, nil, false).tooBad(r), "%+v", test)
		require.Equal(t, test.strict, newProgress(io.Discard, nil, true).tooBad(r), "%+v", test)
		complete := newProgress(io.Discard, nil, true)
		complete.unimplementedFails = true
		require.Equal(t, test.strict || test.behavior == verdictUnimplemented, complete.tooBad(r), "%+v", test)
	}
}
