package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
)

// Larger than any resource.
const bodyMax = 16 << 20

type counters struct {
	responses atomic.Int64
	resources atomic.Int64
	requests  atomic.Int64
	streams   atomic.Int64
}

func (c *counters) callbacks() server.Callbacks {
	return server.CallbackFuncs{
		DeltaStreamOpenFunc: func(context.Context, int64, string) error {
			c.streams.Add(1)
			return nil
		},
		DeltaStreamClosedFunc: func(int64, *core.Node) { c.streams.Add(-1) },
		StreamDeltaRequestFunc: func(int64, *discovery.DeltaDiscoveryRequest) error {
			c.requests.Add(1)
			return nil
		},
		StreamDeltaResponseFunc: func(_ int64, _ *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
			c.responses.Add(1)
			c.resources.Add(int64(len(response.Resources)))
		},
	}
}

// serveControl answers on a free loopback port:
//
//	POST /put?type=URL&name=NAME   the body is the resource's new content
//	POST /touch?type=URL           every resource gets the content that it has
//	GET  /stats                    CPU seconds, resident bytes, counts
func serveControl(resources *served, counts *counters) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /put", func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, bodyMax))
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		query := request.URL.Query()
		caches, err := resources.put(query.Get("type"), query.Get("name"), body)
		answer(writer, map[string]int{"caches": caches}, err)
	})
	mux.HandleFunc("POST /touch", func(writer http.ResponseWriter, request *http.Request) {
		answer(writer, struct{}{}, resources.touch(request.URL.Query().Get("type")))
	})
	mux.HandleFunc("GET /stats", func(writer http.ResponseWriter, _ *http.Request) {
		stats, err := readStats(counts)
		answer(writer, stats, err)
	})
	go func() { _ = http.Serve(listener, mux) }()
	return listener.Addr().String(), nil
}

func answer(writer http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(value)
}

type stats struct {
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"`
	Goroutines    int     `json:"goroutines"`
	Streams       int64   `json:"streams"`
	Requests      int64   `json:"requests"`
	Responses     int64   `json:"responses"`
	Resources     int64   `json:"resources"`
}

func readStats(counts *counters) (stats, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return stats{}, err
	}
	resident, err := residentBytes()
	if err != nil {
		return stats{}, err
	}
	seconds := func(time syscall.Timeval) float64 { return float64(time.Sec) + float64(time.Usec)/1e6 }
	return stats{
		CPUSeconds:    seconds(usage.Utime) + seconds(usage.Stime),
		ResidentBytes: resident,
		Goroutines:    runtime.NumGoroutine(),
		Streams:       counts.streams.Load(),
		Requests:      counts.requests.Load(),
		Responses:     counts.responses.Load(),
		Resources:     counts.resources.Load(),
	}, nil
}

// Linux: the second field of statm, in pages.
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	var pages int64
	if _, err := fmt.Sscan(fields[1], &pages); err != nil {
		return 0, err
	}
	return pages * int64(os.Getpagesize()), nil
}
