/* Examples for `bifrons help` and the manual. A test gives each to `bifrons -t`, in the first place
 * where it may stand. */
#include "run/examples.h"

#include <stddef.h>

const char *const directive_examples[] = {
    /* the process */
    "user www-data;", "pid /run/bifrons.pid;", "worker_processes auto;",
    "events { worker_connections 10000; }", "worker_connections 10000;",
    "worker_rlimit_nofile 65536;", "resolver 127.0.0.53 valid=30s;",
    "error_log logs/error.log warn;",
    /* servers and locations */
    "http { server { listen 8080; } }", "listen 127.0.0.1:8443 ssl default_server;",
    "server { listen 8080; server_name www.example.com; root /srv/www; }",
    "server_name example.com *.example.com \"~^(?<user>\\w+)\\.example\\.net$\";",
    "location ~* \\.(png|jpe?g)$ { root /srv/images; }", "internal;", "keepalive_timeout 65s 60s;",
    "client_max_body_size 10m;", "large_client_header_buffers 4 16k;",
    "types { text/html html htm; image/png png; }", "default_type text/plain;",
    "error_page 500 502 503 504 /50x.html;", "allow 192.0.2.0/24;", "deny all;",
    /* rewrite */
    "rewrite ^/old/(.*)$ /new/$1 permanent;", "set $name value;", "break;",
    "return 301 https://$host$request_uri;", "if ($request_method = POST) { return 405; }",
    /* files */
    "root /srv/www;", "alias /srv/images/;", "index index.html index.htm;",
    "try_files $uri $uri/ /index.html;", "open_file_cache max=1000 inactive=20s;",
    "disable_symlinks if_not_owner from=$document_root;",
    /* answers */
    "add_header X-Frame-Options SAMEORIGIN always;",
    "sub_filter \"http://old.example/\" \"https://new.example/\";", "sub_filter_types text/css;",
    "gzip_types text/css application/json;", "gzip_disable msie6;",
    /* upstreams */
    "upstream backend { server 10.0.0.1:8080; server 10.0.0.2:8080; keepalive 16; }",
    "server 10.0.0.1:8080 weight=2 max_fails=3 fail_timeout=10s;", "keepalive 16;",
    "proxy_pass http://127.0.0.1:3000/;", "proxy_set_header Host $host;",
    "proxy_hide_header X-Powered-By;", "proxy_pass_header Server;", "proxy_redirect off;",
    "proxy_next_upstream error timeout http_502;", "proxy_ignore_headers X-Accel-Redirect;",
    "proxy_keepalive 64;", "proxy_temp_path temp/proxy 1 2;", "client_body_temp_path temp/body;",
    /* TLS */
    "ssl_certificate example.pem;", "ssl_certificate_key example.key;",
    "ssl_protocols TLSv1.2 TLSv1.3;", "ssl_session_cache shared:SSL:10m;",
    "ssl_conf_command Options PrioritizeChaCha;",
    /* logs */
    "log_format short '$remote_addr \"$request\" $status $request_time';",
    "access_log logs/access.log combined;",
    /* the forward face */
    "forward { listen 127.0.0.1:3128; rule allow if client 127.0.0.0/8; }",
    "rule deny if host .ads.example;", "when client 192.0.2.0/24 { rule allow if host .example; }",
    "list partners { .example.com; 192.0.2.0/24; }", "ports connect 443 8443;",
    "own_address 198.51.100.7;", "anonymity anonymous;", "via proxy.example;", NULL
};
