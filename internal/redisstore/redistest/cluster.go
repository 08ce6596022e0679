package redistest

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a cluster whose slots are divided between masters. Each may have one replica.
type Cluster struct {
	Masters, Replicas []*Server // a replica has the place of its master
}

// slots is the number of slots of a cluster.
const slots = 16384

// StartCluster starts a cluster, and returns when all its servers say that it is whole.
func StartCluster(t *testing.T, options Options, masters int, replicas bool) *Cluster {
	t.Helper()
	// A busy machine is slow; nobody is to be taken for dead who is not.
	options.Args = append([]string{"--cluster-node-timeout", "60000"}, options.Args...)
	c := &Cluster{}
	for i := range masters {
		c.Masters = append(c.Masters, start(t, options, true))
		if replicas {
			c.Replicas = append(c.Replicas, start(t, options, true))
		}
		c.Masters[i].Do(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
	}
	all := c.all()
	for i, node := range all {
		node.Do(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, node := range all[1:] {
		_, port, err := net.SplitHostPort(node.Addr)
		if err != nil {
			t.Fatal(err)
		}
		all[0].Do(t, "CLUSTER", "MEET", host, port, node.bus)
	}
	whole := fmt.Sprintf("cluster_known_nodes:%d\r\n", len(all))
	for _, node := range all {
		await(t, "a cluster that is whole", func() bool {
			info := node.text(t, "CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, whole)
		})
	}
	for i, replica := range c.Replicas {
		replica.Do(t, "CLUSTER", "REPLICATE", c.Masters[i].text(t, "CLUSTER", "MYID"))
		await(t, "a replica", func() bool { return strings.Contains(replica.text(t, "INFO", "replication"), "master_link_status:up") })
	}
	return c
}

func (c *Cluster) all() []*Server { return append(append([]*Server{}, c.Masters...), c.Replicas...) }

// URL is how a store names the cluster: by all its servers.
func (c *Cluster) URL() string {
	all := c.all()
	further := make(url.Values)
	for _, node := range all[1:] {
		further.Add("addr", node.Addr)
	}
	return all[0].URL() + "?" + further.Encode()
}

// Failover kills a master and has its replica take its place.
func (c *Cluster) Failover(t *testing.T, master int) {
	t.Helper()
	replica := c.Replicas[master]
	c.Masters[master].Kill()
	replica.Do(t, "CLUSTER", "FAILOVER", "TAKEOVER")
	await(t, "the new master", func() bool { return strings.Contains(replica.text(t, "INFO", "replication"), "role:master") })
}
