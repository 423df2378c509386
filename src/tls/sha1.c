/* SHA-1 by OpenSSL. Owns nothing. */
#include "tls/sha1.h"

#include <openssl/evp.h>

bool sha1(struct span bytes, unsigned char ret[SHA1_SIZE])
{
    return EVP_Digest(bytes.at, bytes.len, ret, NULL, EVP_sha1(), NULL) == 1;
}
