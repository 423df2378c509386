/* Directives of NGINX and its well-known modules, and of the forward face, that this version knows
 * by name only, or by the first part of the name (`dav_*`): a configuration that needs one is
 * refused at its line, in words that say so. */
#include <stddef.h>

const char *const later_directives[] = {
    /* the process */
    "debug_connection", "debug_points", "env", "ssl_engine", "worker_aio_requests",
    "working_directory",
    /* requests */
    "aio", "auth_basic", "auth_basic_user_file", "auth_delay", "auth_jwt", "auth_request",
    "auth_request_set", "charset", "charset_map", "charset_types", "chunked_transfer_encoding",
    "client_body_in_file_only", "client_body_in_single_buffer", "directio", "early_hints",
    "keepalive_disable", "keepalive_min_timeout", "limit_except", "limit_rate", "limit_rate_after",

    "lingering_close", "log_subrequest", "open_log_file_cache", "output_buffers",
    "reset_timedout_connection", "satisfy",
    /* whole families */
    "auth_jwt_*", "brotli_*", "dav_*", "fastcgi_*", "geoip2_*", "geoip_*", "grpc_*", "hls_*",
    "http2_*", "http3_*", "image_filter_*", "js_*", "keyval_*", "memcached_*", "mp4_*", "otel_*",
    "perl_*", "quic_*", "scgi_*", "session_log_*", "ssi_*", "userid_*", "uwsgi_*", "xslt_*",
    "zstd_*",
    /* modules */
    "add_after_body", "add_before_body", "add_header_inherit", "add_trailer", "addition_types",
    "ancient_browser", "brotli", "empty_gif", "expires", "flv", "geo", "geoip2", "gunzip",
    "gzip_static", "hash", "health_check", "http3", "image_filter", "ip_hash", "least_conn",
    "least_time", "map", "match", "mirror", "mirror_request_body", "modern_browser", "mp4",
    "more_clear_headers", "more_set_headers", "override_charset", "perl", "random", "random_index",
    "real_ip_header", "real_ip_recursive", "secure_link", "secure_link_md5", "secure_link_secret",
    "set_real_ip_from", "slice", "slow_start", "source_charset", "split_clients", "ssi", "state",
    "status_zone", "sticky", "tunnel_pass", "userid", "valid_referers", "zone", "zstd",
    /* upstreams */
    "proxy_bind", "proxy_cache", "proxy_cache_background_update", "proxy_cache_bypass",
    "proxy_cache_convert_head", "proxy_cache_key", "proxy_cache_lock", "proxy_cache_lock_age",
    "proxy_cache_lock_timeout", "proxy_cache_methods", "proxy_cache_min_uses", "proxy_cache_path",
    "proxy_cache_purge", "proxy_cache_revalidate", "proxy_cache_use_stale", "proxy_cache_valid",
    "proxy_cookie_domain", "proxy_cookie_flags", "proxy_cookie_path", "proxy_force_ranges",
    "proxy_limit_rate", "proxy_method", "proxy_no_cache", "proxy_pass_request_body",
    "proxy_pass_request_headers", "proxy_pass_trailers", "proxy_send_lowat", "proxy_set_body",
    "proxy_socket_keepalive", "proxy_ssl_certificate", "proxy_ssl_certificate_key",
    "proxy_ssl_ciphers", "proxy_ssl_conf_command", "proxy_ssl_crl", "proxy_ssl_name",
    "proxy_ssl_protocols", "proxy_ssl_server_name", "proxy_ssl_session_reuse",
    "proxy_ssl_trusted_certificate", "proxy_ssl_verify", "proxy_ssl_verify_depth", "proxy_store",
    "proxy_store_access",
    /* TLS */
    "ssl_client_certificate", "ssl_crl", "ssl_ocsp", "ssl_password_file", "ssl_session_ticket_key",
    "ssl_stapling", "ssl_stapling_file", "ssl_stapling_responder", "ssl_stapling_verify",
    "ssl_trusted_certificate", "ssl_verify_client", "ssl_verify_depth",
    /* stream, mail */
    "mail", "stream",
    /* the forward face */
    "icap_service", "external", "intercept", "intercept_ca", "forward_pac", "list_directory",
    "absolute_https", "audit_log", "auth_cache", "auth_group_file", "auth_helper", "auth_throttle",
    "bind_timeout", "deny_contact", "deny_page", "ip_only", "ip_prefer", "limit_bandwidth",
    "limit_bandwidth_zone", "log_client", "log_interval", "log_query", "log_start", "outgoing",
    "pac", "parent", "peek_ports", "proxy_protocol_timeout", "quota", "schedule", "socks_auth",
    "socks_bind_ports", "socks_commands", "socks_udp_ports", "status_host", "tunnel_recheck",
    "udp_timeout", "user_from", "when", NULL
};
