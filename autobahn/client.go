// The client: connects to a server under test, again and again.

package main

import (
	"context"
	"sync"
)

// A client runs cases against a server, some of them at once.
type client struct {
	env      *environment
	cases    []*testCase
	agent    string
	parallel int
	reports  *reports
	out      *progress
}

// run runs all cases. Those that move much data run one at a time, so that
// they do not stand in each other's way.
func (c *client) run(ctx context.Context) error {
	var light, heavy []*testCase
	for _, tc := range c.cases {
		if tc.quiet {
			heavy = append(heavy, tc)
		} else {
			light = append(light, tc)
		}
	}
	c.runSome(ctx, light, c.parallel)
	c.runSome(ctx, heavy, min(c.parallel, 2))
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.reports.write()
}

func (c *client) runSome(ctx context.Context, cases []*testCase, parallel int) {
	next := make(chan *testCase)
	var workers sync.WaitGroup
	for range max(1, parallel) {
		workers.Go(func() {
			for tc := range next {
				r := runClient(ctx, tc, c.env, c.agent)
				if ctx.Err() != nil {
					continue // it was cut short
				}
				c.reports.add(r)
				c.out.done(r)
			}
		})
	}
	for _, tc := range cases {
		if ctx.Err() != nil {
			break
		}
		next <- tc
	}
	close(next)
	workers.Wait()
}
