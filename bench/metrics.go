package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// metrics are what a server tells of itself, summed over labels.
type metrics map[string]float64

// metrics reads what the server measures now.
func (r *ream) metrics(ctx context.Context) (metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	m := metrics{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		number, err := strconv.ParseFloat(value[strings.LastIndexByte(value, ' ')+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", lines.Text(), err)
		}
		name, _, _ = strings.Cut(name, "{")
		m[name] += number
	}
	return m, lines.Err()
}

// awaitMetric waits until a metric is at most so much.
func (r *ream) awaitMetric(ctx context.Context, name string, most float64) error {
	var m metrics
	var failed error
	err := r.await(ctx, func() bool {
		m, failed = r.metrics(ctx)
		return failed != nil || m[name] <= most
	})
	if failed == nil && err != nil {
		return fmt.Errorf("%s is still %v: %w", name, m[name], err)
	}
	return failed
}
