/* The modules, in the order of their hooks within a phase, of their variables, and of their start.
 * Plugging in is one file and one line here. No include guard: whoever includes it says what MODULE
 * means. */

/* clang-format off */
MODULE(core)     /* settings that several rooms ask for: stands first */
MODULE(main)     /* user, pid ...: the process */
MODULE(thread_pool) /* thread_pool: for what would block a worker */
MODULE(resolver) /* name servers */
MODULE(error_log) /* error_log: of the process and of blocks */

MODULE(error_page) /* error_page: what errors look like */

MODULE(listen)   /* listen: joins the lines of all blocks */
MODULE(limit_req) /* limit_req: requests of one key in the course of time */
MODULE(limit_conn) /* limit_conn: requests in progress of one key */
MODULE(access)   /* allow, deny: by the client's address */
MODULE(forward)  /* the forward face: what was asked for, and the rules */
MODULE(server)   /* server, server_name */
MODULE(location) /* location */
MODULE(rewrite)  /* rewrite, set, if, break, return: in the order in which they stand */
MODULE(ssl)      /* TLS towards clients */

MODULE(upstream)    /* groups of servers */
MODULE(anonymity)   /* what the forward face tells of its clients */
MODULE(connect)     /* CONNECT */
MODULE(stub_status) /* stub_status, $connections_* */
MODULE(proxy)       /* proxy_*, the origins of the forward face, buffering */
MODULE(gateway)     /* fastcgi_param and its like */
MODULE(attempts)    /* $upstream_* */
MODULE(try_files)   /* try_files: the first that exists */
MODULE(open_files)  /* open_file_cache */
MODULE(file)        /* root, alias, index: static files */
MODULE(autoindex)   /* folders as lists */
MODULE(conditional) /* 304, 412 */
MODULE(headers)     /* add_header */
MODULE(sub_filter)  /* sub_filter: texts of answers replaced */
MODULE(gzip)        /* gzip, gzip_*: answers compressed */
MODULE(range)       /* 206, 416 */

MODULE(squid_variables) /* what Squid's log columns need */
MODULE(access_log)      /* access_log, log_format */
/* clang-format on */
