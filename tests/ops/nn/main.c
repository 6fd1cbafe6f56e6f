#include <check.h>
#include <stdlib.h>

TCase *tcase_model(void);
TCase *tcase_scope(void);
TCase *tcase_model_file(void);
TCase *tcase_model_torch(void);
TCase *tcase_training_file(void);
TCase *tcase_misuse(void);
TCase *tcase_nn_conv(void);
TCase *tcase_defaults(void);
TCase *tcase_init(void);
TCase *tcase_layers(void);
TCase *tcase_attention_layers(void);
TCase *tcase_transformer(void);
TCase *tcase_loss(void);
TCase *tcase_optim(void);
TCase *tcase_schedule(void);
TCase *tcase_sgd(void);
TCase *tcase_adam(void);
TCase *tcase_rules(void);
TCase *tcase_hyper(void);
TCase *tcase_recurrent_layers(void);
TCase *tcase_threads(void);
TCase *tcase_training(void);
TCase *tcase_endurance(void);
TCase *tcase_states(void);
TCase *tcase_clip(void);
TCase *tcase_closure(void);
TCase *tcase_freeze(void);
TCase *tcase_group(void);
TCase *tcase_torch(void);
TCase *tcase_loader(void);
TCase *tcase_loader_forks(void);
TCase *tcase_vocab(void);
TCase *tcase_fit(void);
TCase *tcase_interrupt(void);
TCase *tcase_grad_profile(void);
TCase *tcase_planned(void);
TCase *tcase_plot(void);
TCase *tcase_shards(void);
TCase *tcase_dist(void);
TCase *tcase_dist_tree(void);
TCase *tcase_dist_bits(void);
TCase *tcase_dist_faults(void);

int main(void) {
    Suite *suite = suite_create("nn");
    /* First: in one process, without forks, what others have freed would still change its pages. */
    suite_add_tcase(suite, tcase_endurance());
    suite_add_tcase(suite, tcase_model());
    suite_add_tcase(suite, tcase_scope());
#if TG_HAVE_JANSSON /* which reads files */
    suite_add_tcase(suite, tcase_model_file());
    suite_add_tcase(suite, tcase_model_torch());
    suite_add_tcase(suite, tcase_training_file());
#endif
    suite_add_tcase(suite, tcase_misuse());
    suite_add_tcase(suite, tcase_init());
    suite_add_tcase(suite, tcase_nn_conv());
    suite_add_tcase(suite, tcase_defaults());
    suite_add_tcase(suite, tcase_layers());
    suite_add_tcase(suite, tcase_attention_layers());
    suite_add_tcase(suite, tcase_transformer());
    suite_add_tcase(suite, tcase_loss());
    suite_add_tcase(suite, tcase_optim());
    suite_add_tcase(suite, tcase_schedule());
    suite_add_tcase(suite, tcase_sgd());
    suite_add_tcase(suite, tcase_adam());
    suite_add_tcase(suite, tcase_rules());
    suite_add_tcase(suite, tcase_hyper());
    suite_add_tcase(suite, tcase_recurrent_layers());
    suite_add_tcase(suite, tcase_threads());
    suite_add_tcase(suite, tcase_training());
    suite_add_tcase(suite, tcase_states());
    suite_add_tcase(suite, tcase_clip());
    suite_add_tcase(suite, tcase_closure());
    suite_add_tcase(suite, tcase_freeze());
    suite_add_tcase(suite, tcase_group());
    suite_add_tcase(suite, tcase_torch());
    suite_add_tcase(suite, tcase_loader());
    suite_add_tcase(suite, tcase_loader_forks());
    suite_add_tcase(suite, tcase_vocab());
    suite_add_tcase(suite, tcase_fit());
    suite_add_tcase(suite, tcase_interrupt());
    suite_add_tcase(suite, tcase_grad_profile());
    suite_add_tcase(suite, tcase_planned());
    suite_add_tcase(suite, tcase_plot());
    suite_add_tcase(suite, tcase_shards());
    suite_add_tcase(suite, tcase_dist());
    suite_add_tcase(suite, tcase_dist_tree());
    suite_add_tcase(suite, tcase_dist_bits());
    suite_add_tcase(suite, tcase_dist_faults());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
