/* A program that has MPI of its own: two groups of its processes train, each by a communicator that the program has made, and come to
 * the same weights. usage: mpirun -np 4 adopt; the exit status is 0 if all is well. */
#include <mpi.h>
#include <stdlib.h>
#include <tapegrad.h>

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_mse_loss(tg_nn_linear(m, "out", tg_tanh(tg_nn_linear(m, "fc1", batch[0], 6)), 1), batch[1]);
}

static uint64_t train(const MPI_Comm *comm) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    tg_dist *d = tg_dist_begin(m, .communicator = comm);
    tg_tensor *data[2] = {tg_randn(TG_F32, 32, 3), tg_randn(TG_F32, 32, 1)};
    tg_loader *l = tg_loader_new(2, data, .batch = 8, .shuffle = true, .shards = tg_dist_shards(d),
                                 .rank = tg_dist_rank(d), .ranks = tg_dist_size(d));
    while (tg_dist_gradients(d, l, loss, NULL, NULL)) tg_optim_step(o);
    tg_dist_end(d);
    const uint64_t h = tg_model_hash(m);
    if (tg_error_status() != TG_OK) fprintf(stderr, "adopt: %s\n", tg_error_message());
    tg_loader_free(l), tg_optim_free(o), tg_model_free(m);
    return h;
}

int main(int argc, char **argv) {
    int level, rank, size;
    MPI_Comm group;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &group);
    uint64_t mine[2] = {train(&group), train(&group)}, all[2];
    MPI_Allreduce(mine, all, 2, MPI_UINT64_T, MPI_BXOR, MPI_COMM_WORLD); /* 0 where an even number are equal */
    const bool well = tg_error_status() == TG_OK && mine[0] != 0 && size % 2 == 0 && all[0] == 0 && all[1] == 0;
    MPI_Comm_free(&group);
    MPI_Finalize();
    return well ? 0 : 1;
}
