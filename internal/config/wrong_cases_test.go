package config_test

// wrongConfigurations are the wrong configurations with their answers.
func wrongConfigurations() map[string]wrong {
	return map[string]wrong{
		"file: not there": {
			args: loopback + " " + "--config=absent.yaml",
			want: "--config: PARLEY_CONFIG_FILE: absent.yaml: no such file or directory",
		},
		"file: named by the environment, not there": {
			env: "PARLEY_CONFIG_FILE=absent.yaml", args: loopback,
			want: "PARLEY_CONFIG_FILE: absent.yaml: no such file or directory",
		},
		"file: a folder": {
			args: loopback + " " + "--config=.",
			want: "--config: PARLEY_CONFIG_FILE: .: is a folder",
		},
		"file: a list": {
			file: "- a\n- b\n", args: loopback,
			want: "parley.yaml:1:1: expected `key: value` lines",
		},
		"file: one word": {
			file: "hello\n", args: loopback,
			want: "parley.yaml:1:1: expected `key: value` lines",
		},
		"file: two documents": {
			file: "log_level: info\n---\nlog_level: warn\n", args: loopback,
			want: "parley.yaml:2:1: only one document is read; put all settings into the first",
		},
		"file: not text": {
			file: "log_level: \xff", args: loopback,
			want: "parley.yaml: is not text in UTF-8",
		},
		"YAML: a value with a colon": {
			file: "log_level: info\nhttp_addr: a: b\n", args: loopback,
			want: "parley.yaml:2: is not valid YAML: mapping values are not allowed in this context; write one `key: value` a line",
		},
		"YAML: an open quote": {
			file: "log_level: \"info\nhttp_addr: x\n", args: loopback,
			want: "parley.yaml:1: is not valid YAML: found unexpected end of stream; write one `key: value` a line",
		},
		"YAML: an open list": {
			file: "log_level: info\ncors_origins: [a, b\nhttp_addr: x\n", args: loopback,
			want: "parley.yaml:2: is not valid YAML: did not find expected ',' or ']'; write one `key: value` a line",
		},
		"YAML: a tab": {
			file: "log_level: info\n\thttp_addr: x\n", args: loopback,
			want: "parley.yaml:2: is not valid YAML: found a tab character that violates indentation; write one `key: value` a line",
		},
		"YAML: a wrong indentation": {
			file: "log_level: info\n  http_addr: x\n", args: loopback,
			want: "parley.yaml:2: is not valid YAML: mapping values are not allowed in this context; write one `key: value` a line",
		},
		"YAML: an alias of nothing": {
			file: "log_level: *level\n", args: loopback,
			want: "parley.yaml:1: is not valid YAML: an alias names no anchor; write one `key: value` a line",
		},
		"YAML: a secret in a broken line": {
			file: "graph_client_secret_file: 's3cret\n", args: loopback,
			want: "parley.yaml:1: is not valid YAML: found unexpected end of stream; write one `key: value` a line",
		},
		"key: mistyped": {
			file: "log_levl: info\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"log_levl\"; did you mean log_level?",
		},
		"key: as the variable": {
			file: "PARLEY_LOG_LEVEL: info\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"PARLEY_LOG_LEVEL\"; did you mean log_level?",
		},
		"key: as the flag": {
			file: "http-addr: 127.0.0.1:1\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"http-addr\"; did you mean http_addr?",
		},
		"key: in camel case": {
			file: "httpAddr: 127.0.0.1:1\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"httpAddr\"; did you mean http_addr?",
		},
		"key: the number of a field": {
			file: "1: 127.0.0.1:1\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"1\"; `parley serve --help` lists all",
		},
		"key: of another program": {
			file: "listen: 127.0.0.1:1\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"listen\"; `parley serve --help` lists all",
		},
		"key: twice": {
			file: "log_level: info\nlog_format: text\nlog_level: info\n", args: loopback,
			want: "parley.yaml:3:1: log_level is set twice, first on line 1; remove one of them",
		},
		"key: a mapping": {
			file: "? {a: b}\n: c\n", args: loopback,
			want: "parley.yaml:1:3: expected the name of a setting before the colon",
		},
		"key: near a setting that is needed": {
			file: "graph_credental: none\ngraph_url: http://127.0.0.1:9\n",
			want: "parley.yaml:1:1: unknown key \"graph_credental\"; did you mean graph_credential?",
		},
		"key: anchors and aliases": {
			file: "log_level: &l info\nlog_format: *l\n", args: loopback,
			want: "parley.yaml:1:12: log_level: anchors and aliases are not read; write the value out\n" +
				"parley.yaml:2:13: log_format: anchors and aliases are not read; write the value out",
		},
		"key: a merge": {
			file: "<<: {log_level: info}\n", args: loopback,
			want: "parley.yaml:1:1: unknown key \"<<\"; `parley serve --help` lists all",
		},
		"type: a list": {
			file: "http_addr: [a]\n", args: loopback,
			want: "parley.yaml:1:12: http_addr: expected one value, not a list or mapping",
		},
		"type: a mapping": {
			file: "http_addr: {host: a}\n", args: loopback,
			want: "parley.yaml:1:12: http_addr: expected one value, not a list or mapping",
		},
		"type: a duration in words": {
			file: "settle_chat: a quarter\n", args: loopback,
			want: "parley.yaml:1:14: settle_chat: is not a duration; write one such as 90s, 15m or 36h",
		},
		"type: a duration without unit": {
			file: "settle_chat: 15\n", args: loopback,
			want: "parley.yaml:1:14: settle_chat: is not a duration; write one such as 90s, 15m or 36h",
		},
		"type: a duration beyond all measure": {
			file: "settle_chat: 9999999h\n", args: loopback,
			want: "parley.yaml:1:14: settle_chat: is not a duration; write one such as 90s, 15m or 36h",
		},
		"type: a number in words": {
			file: "caller_rate: fifty\n", args: loopback,
			want: "parley.yaml:1:14: caller_rate: is not a whole number, such as 50",
		},
		"type: a number with a fraction": {
			file: "caller_rate: 1.5\n", args: loopback,
			want: "parley.yaml:1:14: caller_rate: is not a whole number, such as 50",
		},
		"type: a number with an exponent": {
			file: "caller_rate: 1e3\n", args: loopback,
			want: "parley.yaml:1:14: caller_rate: is not a whole number, such as 50",
		},
		"type: a flag in words": {
			file: "tls_terminated: perhaps\n", args: loopback,
			want: "parley.yaml:1:17: tls_terminated: is not true or false",
		},
		"type: a secret where a number belongs": {
			file: "caller_burst: s3cret\n", args: loopback,
			want: "parley.yaml:1:15: caller_burst: is not a whole number, such as 50",
		},
		"type: a duration of a flag": {
			args: loopback + " " + "--settle-chat=soon",
			want: "--settle-chat: PARLEY_SETTLE_CHAT: is not a duration; write one such as 90s, 15m or 36h",
		},
		"type: a duration of the environment": {
			env: "PARLEY_SETTLE_CHAT=soon", args: loopback,
			want: "PARLEY_SETTLE_CHAT: is not a duration; write one such as 90s, 15m or 36h",
		},
		"type: a number of the environment": {
			env: "PARLEY_CALLER_RATE=x", args: loopback,
			want: "PARLEY_CALLER_RATE: is not a whole number, such as 50",
		},
		"type: a flag of the environment": {
			env: "PARLEY_TLS_TERMINATED=perhaps", args: loopback,
			want: "PARLEY_TLS_TERMINATED: is not true or false",
		},
		"type: an empty number of the environment": {
			env: "PARLEY_CALLER_RATE=", args: loopback,
			want: "PARLEY_CALLER_RATE: is not a whole number, such as 50",
		},
		"type: flags and environment at once": {
			env: "PARLEY_CALLER_RATE=x PARLEY_SETTLE_CALL=y", args: loopback + " " + "--settle-chat=soon --caller-burst=z",
			want: "--settle-chat: PARLEY_SETTLE_CHAT: is not a duration; write one such as 90s, 15m or 36h\n" +
				"PARLEY_SETTLE_CALL: is not a duration; write one such as 90s, 15m or 36h\n" +
				"PARLEY_CALLER_RATE: is not a whole number, such as 50\n" +
				"--caller-burst: PARLEY_CALLER_BURST: is not a whole number, such as 50",
		},
		"flag: mistyped": {
			args: loopback + " " + "--grcp-addr=127.0.0.1:1",
			want: "unknown flag --grcp-addr, did you mean \"--grpc-addr\"?",
		},
		"flag: two mistyped and one wrong": {
			args: loopback + " " + "--grcp-addr=127.0.0.1:1 --htttp-addr 127.0.0.1:1 --settle-call=x",
			want: "unknown flag --grcp-addr, did you mean \"--grpc-addr\"?\n" +
				"unknown flag --htttp-addr, did you mean \"--http-addr\"?\n" +
				"--settle-call: PARLEY_SETTLE_CALL: is not a duration; write one such as 90s, 15m or 36h",
		},
		"variable: mistyped": {
			env: "PARLEY_HTTP_ADR=127.0.0.1:1", args: loopback,
			want: "PARLEY_HTTP_ADR: is no setting; did you mean PARLEY_HTTP_ADDR?",
		},
		"variable: of no setting": {
			env: "PARLEY_QQQQQQ=1", args: loopback,
			want: "PARLEY_QQQQQQ: is no setting; `parley serve --help` lists all",
		},
		"variable: a service's is not": {
			env: "PARLEY_SERVICE_HOSTS=10.0.0.1", args: loopback,
			want: "PARLEY_SERVICE_HOSTS: is no setting; `parley serve --help` lists all",
		},
		"value: a credential": {
			args: "--graph-credential=magic",
			want: "--graph-credential: PARLEY_GRAPH_CREDENTIAL: \"magic\" is unknown; use client-secret, client-certificate, workload-identity, managed-identity, azure-cli or none",
		},
		"value: a cloud": {
			file: "graph_cloud: mars\n", args: loopback,
			want: "parley.yaml:1:14: graph_cloud: unknown cloud \"mars\"; valid are global, us-l4, us-l5, china",
		},
		"value: a generation": {
			env: "PARLEY_GRAPH_VERSION=v2", args: loopback,
			want: "PARLEY_GRAPH_VERSION: \"v2\" is not a generation of Graph; use v1.0 or beta",
		},
		"value: a generation of a source": {
			file: "graph_version_call: v2\n", args: loopback,
			want: "parley.yaml:1:21: graph_version_call: \"v2\" is not a generation of Graph; use v1.0 or beta",
		},
		"value: a model": {
			file: "graph_model: C\n", args: loopback,
			want: "parley.yaml:1:14: graph_model: \"C\" is not a billing model; use A, B, or leave it unset",
		},
		"value: a tenant": {
			file: "graph_tenant_id: contoso\n", args: loopback,
			want: "parley.yaml:1:18: graph_tenant_id: \"contoso\" is not a UUID",
		},
		"value: a URL of another kind": {
			args: "--graph-credential=none --graph-url=ftp://127.0.0.1",
			want: "--graph-url: PARLEY_GRAPH_URL: is not a URL of the form https://host[:port]",
		},
		"value: a URL with a version": {
			file: "graph_authority_url: https://login.example/v2.0\n", args: loopback,
			want: "parley.yaml:1:22: graph_authority_url: must be scheme and host only: no path, version, query or user",
		},
		"value: a URL with a password": {
			file: "graph_authority_url: https://user:s3cret@login.example\n", args: loopback,
			want: "parley.yaml:1:22: graph_authority_url: must be scheme and host only: no path, version, query or user",
		},
		"value: a size": {
			file: "cache_size: lots\n", args: loopback,
			want: "parley.yaml:1:13: cache_size: \"lots\" is not a size; write bytes as 512KiB, 64MiB or 2GiB",
		},
		"value: a size beyond all measure": {
			file: "cache_size: 99999999999999GiB\n", args: loopback,
			want: "parley.yaml:1:13: cache_size: \"99999999999999GiB\" is too large for a size",
		},
		"value: a negative duration": {
			file: "cache_max_age: -1h\n", args: loopback,
			want: "parley.yaml:1:16: cache_max_age: must not be negative",
		},
		"value: a negative number": {
			env: "PARLEY_CALLER_GRAPH_REQUESTS=-1", args: loopback,
			want: "PARLEY_CALLER_GRAPH_REQUESTS: must not be negative",
		},
		"value: a level": {
			file: "log_level: loud\n", args: loopback,
			want: "parley.yaml:1:12: log_level: \"loud\" is not a level; use debug, info, warn or error",
		},
		"value: a form of lines": {
			args: loopback + " " + "--log-format=xml",
			want: "--log-format: PARLEY_LOG_FORMAT: \"xml\" is not a form of log lines; use text or json",
		},
		"value: a mode": {
			file: "auth_mode: basic\n", args: loopback,
			want: "parley.yaml:1:12: auth_mode: \"basic\" is unknown; use none, oidc, mtls or oidc,mtls",
		},
		"value: an origin": {
			file: "cors_origins: '*'\n", args: loopback,
			want: "parley.yaml:1:15: cors_origins: names each origin, such as https://chats.contoso.example; there is no wildcard",
		},
		"value: an address without a port": {
			file: "admin_addr: 127.0.0.1\n", args: loopback,
			want: "parley.yaml:1:13: admin_addr: \"127.0.0.1\" is not host:port",
		},
		"value: a port too large": {
			file: "http_addr: 127.0.0.1:70000\n", args: loopback,
			want: "parley.yaml:1:12: http_addr: \"127.0.0.1:70000\" has no port from 0 to 65535",
		},
		"file of: a policy": {
			file: "policy_file: absent.yaml\n", args: loopback,
			want: "parley.yaml:1:14: policy_file: open FOLDER/absent.yaml: no such file or directory",
		},
		"file of: keys, the key itself": {
			file: "seal_keys_file: s3cretkey\n", args: loopback,
			want: "parley.yaml:1:17: seal_keys_file: no such file or directory; give the path of a file that the gateway may read",
		},
		"file of: a secret, the secret itself": {
			file: "graph_credential: client-secret\ngraph_client_id: x\ngraph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\ngraph_client_secret_file: s3cret~value\n",
			want: "parley.yaml:4:27: graph_client_secret_file: no such file or directory; give the path of a file that the gateway may read",
		},
		"file of: a folder": {
			file: "seal_keys_file: .\n", args: loopback,
			want: "parley.yaml:1:17: seal_keys_file: is a folder; give the path of a file that the gateway may read",
		},
		"file of: authorities, from the environment": {
			env: "PARLEY_GRAPH_CA_FILE=/absent/ca.pem", args: loopback,
			want: "PARLEY_GRAPH_CA_FILE: open /absent/ca.pem: no such file or directory",
		},
		"across: nothing is set": {
			args: "",
			want: "PARLEY_GRAPH_CREDENTIAL: is not set; use client-secret, client-certificate, workload-identity, managed-identity, azure-cli, or none for a Graph on loopback (`parley demo` brings one)",
		},
		"across: none without a URL": {
			args: "--graph-credential=none",
			want: "PARLEY_GRAPH_URL: is needed with PARLEY_GRAPH_CREDENTIAL=none (--graph-credential)",
		},
		"across: a secret without its file and tenant": {
			file: "graph_credential: client-secret\n",
			want: "PARLEY_GRAPH_TENANT_ID: is needed with PARLEY_GRAPH_CREDENTIAL=client-secret (parley.yaml:1:19)\n" +
				"PARLEY_GRAPH_CLIENT_ID: is needed with PARLEY_GRAPH_CREDENTIAL=client-secret (parley.yaml:1:19)\n" +
				"PARLEY_GRAPH_CLIENT_SECRET_FILE: is needed with PARLEY_GRAPH_CREDENTIAL=client-secret (parley.yaml:1:19)",
		},
		"across: a certificate with a secret": {
			file: "graph_credential: client-certificate\ngraph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\ngraph_client_id: x\ngraph_certificate_file: some.pem\ngraph_client_secret_file: some.pem\n",
			want: "parley.yaml:5:27: graph_client_secret_file: contradicts PARLEY_GRAPH_CREDENTIAL=client-certificate (parley.yaml:1:19); unset one of them",
		},
		"across: an open listener without callers": {
			args: loopback + " " + "--http-addr=0.0.0.0:8080",
			want: "--http-addr: PARLEY_HTTP_ADDR: \"0.0.0.0:8080\" is not a loopback address; set PARLEY_AUTH_MODE to let callers in over the network, or listen on 127.0.0.1 or [::1]",
		},
		"across: an open listener from the environment": {
			env: "PARLEY_GRPC_ADDR=:9090", args: loopback,
			want: "PARLEY_GRPC_ADDR: \":9090\" is not a loopback address; set PARLEY_AUTH_MODE to let callers in over the network, or listen on 127.0.0.1 or [::1]",
		},
		"across: an open listener in the file": {
			file: "http_addr: '[::]:8080'\n", args: loopback,
			want: "parley.yaml:1:12: http_addr: \"[::]:8080\" is not a loopback address; set PARLEY_AUTH_MODE to let callers in over the network, or listen on 127.0.0.1 or [::1]",
		},
		"across: an admin listener for everybody": {
			file: "admin_addr: :9091\n", args: loopback,
			want: "parley.yaml:1:13: admin_addr: \":9091\" is not a loopback address; metrics and profiles have no authentication: use 127.0.0.1, and PARLEY_METRICS_ADDR for machines that watch the gateway",
		},
		"across: tokens in the clear": {
			file: "auth_mode: oidc\noidc_issuer: https://id.example\noidc_audience: x\npolicy_file: some.pem\ngrpc_addr: :9090\n", args: loopback,
			want: "parley.yaml:5:12: grpc_addr: \":9090\" is not a loopback address and there is no TLS; set PARLEY_TLS_CERT_FILE and PARLEY_TLS_KEY_FILE, or PARLEY_TLS_TERMINATED=true where TLS ends in front of the gateway",
		},
		"across: tokens without an issuer": {
			env: "PARLEY_AUTH_MODE=oidc", args: loopback,
			want: "PARLEY_OIDC_ISSUER: is needed with PARLEY_AUTH_MODE=oidc\n" +
				"PARLEY_OIDC_AUDIENCE: is needed with PARLEY_AUTH_MODE=oidc\n" +
				"PARLEY_POLICY_FILE: is needed with PARLEY_AUTH_MODE=oidc",
		},
		"across: certificates without authorities": {
			file: "auth_mode: mtls\npolicy_file: some.pem\ntls_cert_file: some.pem\ntls_key_file: some.pem\n", args: loopback,
			want: "PARLEY_TLS_CLIENT_CA_FILE: is needed with PARLEY_AUTH_MODE=mtls (parley.yaml:1:12)",
		},
		"across: an issuer that none asks": {
			file: "oidc_issuer: https://id.example\n", args: loopback,
			want: "parley.yaml:1:14: oidc_issuer: is set, yet PARLEY_AUTH_MODE=none does not use it; unset one of them",
		},
		"across: a certificate without its key": {
			args: loopback + " " + "--tls-cert-file=some.pem",
			want: "PARLEY_TLS_KEY_FILE: is needed: a certificate and its key go together",
		},
		"across: TLS here and in front": {
			env: "PARLEY_TLS_TERMINATED=true", args: loopback + " " + "--tls-cert-file=some.pem --tls-key-file=some.pem",
			want: "PARLEY_TLS_TERMINATED: contradicts PARLEY_TLS_CERT_FILE (--tls-cert-file): TLS ends here or in front of the gateway; unset one of them\n" +
				"PARLEY_TLS_TERMINATED: is set, yet PARLEY_AUTH_MODE=none admits callers on loopback only; set PARLEY_AUTH_MODE",
		},
		"across: an issuer in the clear": {
			file: "auth_mode: oidc\noidc_issuer: http://id.example\noidc_audience: x\npolicy_file: some.pem\n", args: loopback,
			want: "parley.yaml:2:14: oidc_issuer: is not an https URL, such as https://login.microsoftonline.com/{tid}/v2.0",
		},
		"tenants: none": {
			file: "tenants: {}\n", args: loopback,
			want: "parley.yaml:1:10: tenants: expected `alias:` mappings, at least one",
		},
		"tenants: a list": {
			file: "tenants: [a]\n", args: loopback,
			want: "parley.yaml:1:10: tenants: expected `alias:` mappings, at least one",
		},
		"tenants: a bad alias": {
			file: "tenants:\n  Contoso:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n", args: loopback,
			want: "parley.yaml:2:3: tenants: \"Contoso\" is not an alias; use up to 63 lower-case letters, digits and dashes",
		},
		"tenants: an alias twice": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n  a:\n    graph_tenant_id: 1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9\n", args: loopback,
			want: "parley.yaml:4:3: tenants.a is there twice, first on line 2; remove one of them",
		},
		"tenants: no settings": {
			file: "tenants:\n  a: b\n", args: loopback,
			want: "parley.yaml:2:6: tenants.a: expected `key: value` lines",
		},
		"tenants: a mistyped key": {
			file: "tenants:\n  a:\n    graph_tenant: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n", args: loopback,
			want: "parley.yaml:3:5: tenants.a: unknown key \"graph_tenant\"; did you mean graph_tenant_id?",
		},
		"tenants: an unknown key": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n    region: x\n", args: loopback,
			want: "parley.yaml:4:5: tenants.a: unknown key \"region\"; known are graph_cloud, graph_url, graph_authority_url, graph_ca_file, graph_version, graph_version_copilot, graph_version_chat, graph_version_call, graph_version_conversations, graph_version_usage, graph_credential, graph_tenant_id, graph_client_id, graph_client_secret_file, graph_certificate_file, graph_report_hosts, graph_model",
		},
		"tenants: a key of the deployment": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n    auth_mode: none\n", args: loopback,
			want: "parley.yaml:4:5: tenants.a: unknown key \"auth_mode\": it is no setting of a tenant; move it to the top of the file",
		},
		"tenants: a key twice": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n    graph_model: A\n    graph_model: B\n", args: loopback,
			want: "parley.yaml:5:5: tenants.a.graph_model is set twice, first on line 4; remove one of them",
		},
		"tenants: a list as value": {
			file: "tenants:\n  a:\n    graph_tenant_id: [x]\n", args: loopback,
			want: "parley.yaml:3:22: tenants.a.graph_tenant_id: expected one value, not a list or mapping",
		},
		"tenants: no id": {
			file: "tenants:\n  a: {}\n", args: loopback,
			want: "parley.yaml:2:3: tenants.a.graph_tenant_id: is needed: tenants are told apart by it",
		},
		"tenants: a bad id": {
			file: "tenants:\n  a:\n    graph_tenant_id: x\n", args: loopback,
			want: "parley.yaml:3:22: tenants.a.graph_tenant_id: \"x\" is not a UUID",
		},
		"tenants: one id twice": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n  b:\n    graph_tenant_id: 8A6D5C1E-0F1B-4E7A-B1A5-6A2F3C4D5E6F\n", args: loopback,
			want: "parley.yaml:5:22: tenants.b.graph_tenant_id: is that of a, too; give each tenant its own",
		},
		"tenants: no secret": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n    graph_client_id: x\n    graph_credential: client-secret\n", args: loopback,
			want: "parley.yaml:2:3: tenants.a.graph_client_secret_file: is needed with PARLEY_GRAPH_CREDENTIAL=client-secret (parley.yaml:5:23)",
		},
		"tenants: two bad values": {
			file: "tenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n    graph_model: C\n  b:\n    graph_tenant_id: 1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9\n    graph_url: ftp://x\n", args: loopback,
			want: "parley.yaml:4:18: tenants.a.graph_model: \"C\" is not a billing model; use A, B, or leave it unset\n" +
				"parley.yaml:7:16: tenants.b.graph_url: is not a URL of the form https://host[:port]",
		},
		"tenants: an inherited value is wrong once": {
			file: "graph_version: v2\ntenants:\n  a:\n    graph_tenant_id: 8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f\n  b:\n    graph_tenant_id: 1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9\n", args: loopback,
			want: "parley.yaml:1:16: graph_version: \"v2\" is not a generation of Graph; use v1.0 or beta",
		},
		"tenants: and a tenant of the deployment": {
			file: "tenants:\n  a:\n    graph_tenant_id: 1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9\n", env: "PARLEY_GRAPH_TENANT_ID=8a6d5c1e-0f1b-4e7a-b1a5-6a2f3c4d5e6f", args: loopback,
			want: "PARLEY_GRAPH_TENANT_ID: contradicts tenants: in the configuration file, where each has its own; unset it",
		},
		"everything at once": {
			file: "log_levl: info\ncaller_rate: x\nhttp_addr: 0.0.0.0:1\nseal_keys_file: absent\n", env: "PARLEY_CALLER_BURST=y PARLEY_GRPC_ADR=z", args: loopback + " " + "--settle-call=soon --admin-addr=:1",
			want: "--settle-call: PARLEY_SETTLE_CALL: is not a duration; write one such as 90s, 15m or 36h\n" +
				"PARLEY_CALLER_BURST: is not a whole number, such as 50\n" +
				"PARLEY_GRPC_ADR: is no setting; did you mean PARLEY_GRPC_ADDR?\n" +
				"--admin-addr: PARLEY_ADMIN_ADDR: \":1\" is not a loopback address; metrics and profiles have no authentication: use 127.0.0.1, and PARLEY_METRICS_ADDR for machines that watch the gateway\n" +
				"parley.yaml:1:1: unknown key \"log_levl\"; did you mean log_level?\n" +
				"parley.yaml:2:14: caller_rate: is not a whole number, such as 50\n" +
				"parley.yaml:3:12: http_addr: \"0.0.0.0:1\" is not a loopback address; set PARLEY_AUTH_MODE to let callers in over the network, or listen on 127.0.0.1 or [::1]\n" +
				"parley.yaml:4:17: seal_keys_file: no such file or directory; give the path of a file that the gateway may read",
		},
	}
}
