package source

import (
	parleyv1 "github.com/parley-gateway/parley/gen/go/parley/v1"
	"github.com/parley-gateway/parley/graphclient/graph"
)

// Available reports whether Microsoft documents the API behind src for the cloud, which is named as graphclient names
// it (empty = global). An unknown cloud is taken for the global one.
//
// US Government (L4, L5) has no usage report; China has chats and users only.
func Available(cloud string, src parleyv1.Source) bool {
	if known, err := graph.CloudByName(cloud); err == nil {
		cloud = known.Name
	}
	switch cloud {
	case graph.CloudUSL4, graph.CloudUSL5:
		return src != parleyv1.Source_SOURCE_USAGE
	case graph.CloudChina:
		return src == parleyv1.Source_SOURCE_CONVERSATION || src == parleyv1.Source_SOURCE_USER
	default:
		return true
	}
}

// ordersChats reports whether the cloud's list of chats knows $orderby: US Government clouds do not.
func ordersChats(cloud string) bool {
	known, err := graph.CloudByName(cloud)
	return err != nil || known.Name != graph.CloudUSL4 && known.Name != graph.CloudUSL5
}
