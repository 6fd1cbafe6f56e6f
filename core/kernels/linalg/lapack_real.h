/* Private. One matrix of type REAL at a time; lapack.c includes this for float and for double. Names of
 * routines carry the type: NAME(x) of ours, BLAS(x) and LAPACK(x) of theirs. */

/* ---- the plain loops ---- */

/* Element (i, j) of L is at a[i * rs + j * cs]. */
static void NAME(cholesky_loop)(int64_t n, REAL *a, int64_t rs, int64_t cs) {
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = j; i < n; i++) {
            double sum = (double)a[i * rs + j * cs];
            for (int64_t k = 0; k < j; k++) sum -= (double)a[i * rs + k * cs] * (double)a[j * rs + k * cs];
            a[i * rs + j * cs] = (REAL)(i == j ? sqrt(sum) : sum / (double)a[j * rs + j * cs]);
        }
}

/* Row k is finished first: its largest element comes to the diagonal, and the rest of it becomes U. */
static void NAME(lu_loop)(int64_t n, REAL *a, int *pivot) {
    for (int64_t k = 0; k < n; k++) {
        REAL *row = a + k * n;
        int64_t p = k;
        for (int64_t j = k + 1; j < n; j++)
            if (fabs((double)row[j]) > fabs((double)row[p])) p = j;
        pivot[k] = (int)p;
        for (int64_t i = 0; i < n && p != k; i++) {
            REAL swap = a[i * n + k];
            a[i * n + k] = a[i * n + p], a[i * n + p] = swap;
        }
        for (int64_t j = k + 1; j < n && row[k] != 0; j++) row[j] /= row[k];
        for (int64_t i = k + 1; i < n; i++)
            for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= a[i * n + k] * row[j];
    }
}

/* ---- LAPACK: it counts by columns, and sees our lower triangle as its upper one, our A as its A^T ---- */

#ifdef TG_HAVE_LAPACK
extern void LAPACK(potrf)(const char *uplo, const int *n, REAL *a, const int *lda, int *info,
                          size_t uplo_length);
extern void LAPACK(getrf)(const int *m, const int *n, REAL *a, const int *lda, int *pivot, int *info);

static bool NAME(lapack_cholesky)(int64_t n, REAL *a, bool upper) {
    int size = (int)n, info = 0;
    LAPACK(potrf)(upper ? "L" : "U", &size, a, &size, &info, 1);
    return info == 0;
}

/* A search for the largest of a row may end anywhere when the row is all NaN. */
static void NAME(lapack_lu)(int64_t n, REAL *a, int *pivot) {
    int size = (int)n, info;
    LAPACK(getrf)(&size, &size, a, &size, pivot, &info);
    for (int k = 0; k < size; k++) {
        pivot[k]--;
        if (pivot[k] < k || pivot[k] >= size) pivot[k] = k;
    }
}

static bool NAME(all_finite)(int64_t n, const REAL *a) {
    int bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= !(a[i] - a[i] == 0);
    return !bad;
}
#endif

/* ---- one matrix ---- */

static bool NAME(cholesky)(int64_t n, REAL *a, bool upper) {
#ifdef TG_HAVE_LAPACK
    if (n >= tg_lapack_from) {
        if (!NAME(lapack_cholesky)(n, a, upper)) return false;
    } else
#endif
        NAME(cholesky_loop)(n, a, upper ? 1 : n, upper ? n : 1);
    for (int64_t i = 0; i < n; i++)
        if (!(a[i * n + i] > 0)) return false;
    return true;
}

/* What LAPACK does with NaN differs between libraries. */
static bool NAME(lu)(int64_t n, REAL *a, int *pivot) {
#ifdef TG_HAVE_LAPACK
    if (n >= tg_lapack_from && NAME(all_finite)(n * n, a))
        NAME(lapack_lu)(n, a, pivot);
    else
#endif
        NAME(lu_loop)(n, a, pivot);
    for (int64_t i = 0; i < n; i++)
        if (a[i * n + i] == 0) return false;
    return true;
}

/* One column goes to trsv: trsm would pack A for it. */
static void NAME(solve_triangle)(int64_t n, int64_t k, const REAL *a, tg_triangle t, REAL *b) {
    CBLAS_UPLO part = t.upper ? CblasUpper : CblasLower;
    CBLAS_TRANSPOSE turn = t.transpose ? CblasTrans : CblasNoTrans;
    CBLAS_DIAG diagonal = t.unit ? CblasUnit : CblasNonUnit;
    if (k == 1)
        BLAS(trsv)(CblasRowMajor, part, turn, diagonal, (int)n, a, (int)n, b, 1);
    else
        BLAS(trsm)(CblasRowMajor, CblasLeft, part, turn, diagonal, (int)n, (int)k, 1, a, (int)n, b, (int)k);
}

/* P b, or P^-1 b: the exchanges from the last one to the first. */
static void NAME(exchange_rows)(int64_t n, int64_t k, const int *pivot, bool inverse, REAL *b) {
    for (int64_t l = 0; l < n; l++) {
        int64_t i = inverse ? n - 1 - l : l;
        for (int64_t j = 0; j < k && pivot[i] != i; j++) {
            REAL *x = b + i * k + j, *y = b + pivot[i] * k + j, swap = *x;
            *x = *y, *y = swap;
        }
    }
}
