package main

import (
	"encoding/json"
	"fmt"
	"os"

	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// dumpFile is what was served to one client of each class, by resource.
type dumpFile struct {
	// Type URL, name, bytes (base64).
	Classes map[string][]dumpedResource `json:"classes"`
	// Class by node id.
	Nodes map[string]string `json:"nodes"`
}

type dumpedResource struct {
	TypeURL string `json:"typeUrl"`
	Name    string `json:"name"`
	Value   []byte `json:"value"`
}

// served holds a linear cache for each type and class. Endpoints are the same for everybody and have one for all, so
// that a change of one touches one resource in one cache: the library at its best.
type served struct {
	caches map[string]cache.Cache
	linear map[string]*cache.LinearCache
	nodes  map[string]string
	// Keys of the caches that hold a resource, by type URL and name.
	holders map[string][]string
}

func cacheKey(typeURL, class string) string {
	if typeURL == resource.EndpointType {
		return typeURL
	}
	return typeURL + " " + class
}

func loadDump(path string) (*served, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file dumpFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	result := &served{
		caches:  map[string]cache.Cache{},
		linear:  map[string]*cache.LinearCache{},
		nodes:   file.Nodes,
		holders: map[string][]string{},
	}
	content := map[string]map[string]types.Resource{}
	typeOf := map[string]string{}
	// Equal bytes are one message, as they are one buffer in the server that this is compared with.
	parsed := map[string]types.Resource{}
	for class, resources := range file.Classes {
		for _, each := range resources {
			same := each.TypeURL + string(each.Value)
			message, isKnown := parsed[same]
			if !isKnown {
				if message, err = parse(each.TypeURL, each.Value); err != nil {
					return nil, fmt.Errorf("%s %s: %w", each.TypeURL, each.Name, err)
				}
				parsed[same] = message
			}
			key := cacheKey(each.TypeURL, class)
			if content[key] == nil {
				content[key] = map[string]types.Resource{}
			}
			typeOf[key] = each.TypeURL
			if _, isThere := content[key][each.Name]; !isThere {
				holder := each.TypeURL + " " + each.Name
				result.holders[holder] = append(result.holders[holder], key)
			}
			content[key][each.Name] = message
		}
	}
	for key, resources := range content {
		linear := cache.NewLinearCache(typeOf[key], cache.WithInitialResources(resources))
		result.linear[key] = linear
		result.caches[key] = linear
	}
	return result, nil
}

func parse(typeURL string, value []byte) (types.Resource, error) {
	return (&anypb.Any{TypeUrl: typeURL, Value: value}).UnmarshalNew()
}

func (s *served) mux() cache.Cache {
	return &cache.MuxCache{
		Classify: func(request *cache.Request) string { return cacheKey(request.TypeUrl, s.nodes[request.Node.GetId()]) },
		ClassifyDelta: func(request *cache.DeltaRequest) string {
			return cacheKey(request.TypeUrl, s.nodes[request.Node.GetId()])
		},
		Caches: s.caches,
	}
}

// put gives a resource other content wherever it is held; it says in how many caches that is.
func (s *served) put(typeURL, name string, value []byte) (int, error) {
	message, err := parse(typeURL, value)
	if err != nil {
		return 0, err
	}
	keys := s.holders[typeURL+" "+name]
	for _, key := range keys {
		if err := s.linear[key].UpdateResource(name, message); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// touch gives every resource of a type the content that it has.
func (s *served) touch(typeURL string) error {
	for key, linear := range s.linear {
		if key != typeURL && !hasType(key, typeURL) {
			continue
		}
		if err := linear.UpdateResources(linear.GetResources(), nil); err != nil {
			return err
		}
	}
	return nil
}

func hasType(key, typeURL string) bool {
	return len(key) > len(typeURL) && key[:len(typeURL)+1] == typeURL+" "
}
