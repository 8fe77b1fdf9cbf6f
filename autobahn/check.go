// The check: reads an index, ours or the original's, and judges it as a run.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

func checkCommand(_ context.Context, o *options, out io.Writer) error {
	if len(o.files) == 0 {
		return errors.New("check needs the names of index.json files")
	}
	good := true
	for _, name := range o.files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var ix index
		if err := json.Unmarshal(text, &ix); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(ix) == 0 {
			return fmt.Errorf("%s: no agent", name)
		}
		for _, agent := range slices.Sorted(maps.Keys(ix)) {
			fmt.Fprintln(out, agent)
			p := newProgress(out, nil, o.strict)
			p.unimplementedFails = o.complete
			for _, id := range slices.SortedFunc(maps.Keys(ix[agent]), compareIDs) {
				e := ix[agent][id]
				p.done(&run{c: &testCase{id: id}, verdict: verdict{
					behavior: e.Behavior, behaviorClose: e.BehaviorClose,
					result: "see " + e.ReportFile, resultClose: "see " + e.ReportFile,
				}})
			}
			good = p.summary() && good
		}
	}
	if !good {
		return errWorse
	}
	return nil
}
