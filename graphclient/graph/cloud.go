package graph

import (
	"strings"

	"github.com/parley-gateway/parley/internal/fielderror"
)

// Cloud is one Microsoft cloud. Everything that depends on the cloud follows
// from it: where tokens come from, their scope, where Graph is, which links
// may be followed, and which hosts may serve a report download.
type Cloud struct {
	// Name is one of the names that [CloudByName] lists.
	Name string
	// Authority is the Entra ID root, without a tenant: https://login.microsoftonline.com.
	Authority string
	// GraphURL is the Graph root, without a version: https://graph.microsoft.com.
	GraphURL string
	// ReportHosts may be the target of a report's redirect. A star stands for
	// any letters, digits and hyphens within one label: "reports*.office.com".
	// Empty where the usage reports do not exist.
	ReportHosts []string
}

// Scope is the token scope for application permissions in this cloud.
func (c Cloud) Scope() string { return c.GraphURL + "/.default" }

// The names of the clouds.
const (
	CloudGlobal = "global" // worldwide, GCC included
	CloudUSL4   = "us-l4"  // US Government L4, GCC High
	CloudUSL5   = "us-l5"  // US Government L5, DoD
	CloudChina  = "china"  // operated by 21Vianet
)

// Clouds returns every known cloud, the global one first.
func Clouds() []Cloud {
	return []Cloud{
		{
			Name:        CloudGlobal,
			Authority:   "https://login.microsoftonline.com",
			GraphURL:    "https://graph.microsoft.com",
			ReportHosts: []string{"reports*.office.com"},
		},
		{Name: CloudUSL4, Authority: "https://login.microsoftonline.us", GraphURL: "https://graph.microsoft.us"},
		{Name: CloudUSL5, Authority: "https://login.microsoftonline.us", GraphURL: "https://dod-graph.microsoft.us"},
		{Name: CloudChina, Authority: "https://login.chinacloudapi.cn", GraphURL: "https://microsoftgraph.chinacloudapi.cn"},
	}
}

// CloudByName finds a cloud by its name or a usual alias, in any case. The
// empty name is the global cloud. The error lists the valid names.
func CloudByName(name string) (Cloud, error) {
	wanted := strings.ToLower(strings.TrimSpace(name))
	switch wanted {
	case "", "public", "worldwide", "commercial", "gcc":
		wanted = CloudGlobal
	case "gcc-high", "gcchigh", "usgov", "us-gov":
		wanted = CloudUSL4
	case "dod", "us-dod":
		wanted = CloudUSL5
	case "21vianet", "cn":
		wanted = CloudChina
	}
	var names []string
	for _, cloud := range Clouds() {
		if cloud.Name == wanted {
			return cloud, nil
		}
		names = append(names, cloud.Name)
	}
	return Cloud{}, fielderror.New("Cloud", "unknown cloud %q; valid are %s", name, strings.Join(names, ", "))
}
