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
		switch {
		case len(ix) == 0:
			return fmt.Errorf("%s: no agent", name)
		case o.agents != 0 && len(ix) != o.agents:
			return fmt.Errorf("%s: %d agents, not %d", name, len(ix), o.agents)
		}
		for _, agent := range slices.Sorted(maps.Keys(ix)) {
			if len(ix[agent]) == 0 {
				return fmt.Errorf("%s: no case of %s", name, agent)
			}
			fmt.Fprintln(out, agent)
			good = o.checkAgent(ix[agent], out) && good
		}
	}
	if !good {
		return errWorse
	}
	return nil
}

// checkAgent judges what an index says of an agent.
func (o *options) checkAgent(entries map[string]indexEntry, out io.Writer) bool {
	var published []*testCase
	if o.complete {
		published = slices.DeleteFunc(slices.Clone(suite()), func(c *testCase) bool { return extra(c.id) })
	}
	p := newProgress(out, published, o.strict)
	p.unimplementedFails, p.all = o.complete, o.complete
	for _, id := range slices.SortedFunc(maps.Keys(entries), compareIDs) {
		e := entries[id]
		p.done(&run{c: &testCase{id: id}, verdict: verdict{
			behavior: e.Behavior, behaviorClose: e.BehaviorClose,
			result: "see " + e.ReportFile, resultClose: "see " + e.ReportFile,
		}})
	}
	return p.summary()
}
