/* exchange/fault, exchange/status: the tables of what a fault becomes and what a status is
 * called. */
#include "unit/support.h"

static const struct {
    enum fault fault;
    unsigned status, socks5;
    const char *proxy_status;
} rows[] = {
    { FAULT_DNS_TIMEOUT, 504, 4, "dns_timeout" },
    { FAULT_DNS_ERROR, 502, 4, "dns_error" },
    { FAULT_DESTINATION_NOT_FOUND, 502, 1, "destination_not_found" },
    { FAULT_DESTINATION_IP_PROHIBITED, 403, 2, "destination_ip_prohibited" },
    { FAULT_DESTINATION_IP_UNROUTABLE, 502, 3, "destination_ip_unroutable" },
    { FAULT_CONNECTION_REFUSED, 502, 5, "connection_refused" },
    { FAULT_CONNECTION_TIMEOUT, 504, 4, "connection_timeout" },
    { FAULT_HTTP_REQUEST_DENIED, 403, 2, "http_request_denied" },
    { FAULT_HTTP_PROTOCOL_ERROR, 502, 1, "http_protocol_error" },
    { FAULT_HTTP_RESPONSE_TIMEOUT, 504, 1, "http_response_timeout" },
    { FAULT_PROXY_LOOP_DETECTED, 508, 2, "proxy_loop_detected" },
    { FAULT_PROXY_INTERNAL_ERROR, 503, 1, "proxy_internal_error" },
    { FAULT_STORAGE, 500, 1, "proxy_internal_error" },
    { FAULT_CLIENT_GONE, 499, 1, "connection_terminated" },
    { FAULT_CLIENT_TIMEOUT, 408, 1, "connection_read_timeout" },
    { FAULT_BODY_TOO_LARGE, 413, 1, "http_request_error" },
    { FAULT_BODY_MALFORMED, 400, 1, "http_request_error" },
};

static void each_fault_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct fault_row *row = fault_row(rows[i].fault);

        assert_int_equal(row->status, rows[i].status);
        assert_int_equal(row->socks5, rows[i].socks5);
        assert_string_equal(row->proxy_status, rows[i].proxy_status);
    }
}

static void no_row_is_missing(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_NONE; fault < FAULTS; fault++) {
        const struct fault_row *row = fault_row(fault);

        assert_true(row->status >= 400 && row->status < 600);
        assert_in_range(row->socks5, 1, 8); /* RFC 1928 6: 0 would be success */
        assert_non_null(row->proxy_status);
    }
}

static void a_status_is_called_as_nginx_calls_it(void **state)
{
    (void)state;
    assert_string_equal(status_reason(200), "OK");
    assert_string_equal(status_reason(302), "Moved Temporarily");
    assert_string_equal(status_reason(405), "Not Allowed");
    assert_string_equal(status_reason(408), "Request Time-out");
    assert_string_equal(status_reason(504), "Gateway Time-out");
    assert_string_equal(status_reason(299), "");
}

static void a_head_alone_has_no_body(void **state)
{
    static const unsigned silent[] = { 100, 103, 204, 304 },
                          speaking[] = { 200, 206, 205, 301, 404, 500 };
    struct exchange x = { .request.method_id = METHOD_GET };

    (void)state;
    for (size_t i = 0; i < COUNT(silent); i++) {
        x.response.status = (uint16_t)silent[i];
        assert_true(response_has_no_body(&x));
    }
    for (size_t i = 0; i < COUNT(speaking); i++) {
        x.response.status = (uint16_t)speaking[i];
        assert_false(response_has_no_body(&x));
    }
    x.request.method_id = METHOD_HEAD;
    assert_true(response_has_no_body(&x));
}

static void what_may_have_had_an_effect_is_not_repeated(void **state)
{
    (void)state;
    assert_true(is_safe_to_retry(METHOD_GET) && is_safe_to_retry(METHOD_HEAD) &&
                is_safe_to_retry(METHOD_PUT) && is_safe_to_retry(METHOD_DELETE) &&
                is_safe_to_retry(METHOD_OPTIONS));
    assert_false(is_safe_to_retry(METHOD_POST) || is_safe_to_retry(METHOD_PATCH) ||
                 is_safe_to_retry(METHOD_LOCK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_status),
        cmocka_unit_test(no_row_is_missing),
        cmocka_unit_test(a_status_is_called_as_nginx_calls_it),
        cmocka_unit_test(a_head_alone_has_no_body),
        cmocka_unit_test(what_may_have_had_an_effect_is_not_repeated),
    };

    return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
