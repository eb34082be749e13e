/* fault.c: runs functions whose faults become results, and then restores the signal handlers of
 * the process, which are Go's. */
#include "emulator.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

enum { CAUGHT = 4 };
static const int caught[CAUGHT] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
static struct sigaction previous[CAUGHT];

static sigjmp_buf landing;
static pthread_t runner;

/* forward calls the previous handler for a fault of another thread. */
static void forward(const struct sigaction *to, int sig, siginfo_t *info, void *context)
{
	if (to->sa_flags & SA_SIGINFO)
		to->sa_sigaction(sig, info, context);
	else if (to->sa_handler == SIG_DFL || to->sa_handler == SIG_IGN)
		signal(sig, SIG_DFL); /* the fault occurs again and ends the process */
	else
		to->sa_handler(sig);
}

/* on_fault must do very little: it runs on one of Go's small signal stacks. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	if (pthread_equal(pthread_self(), runner))
		siglongjmp(landing, sig);
	for (int i = 0; i < CAUGHT; i++)
		if (caught[i] == sig)
			forward(&previous[i], sig, info, context);
}

/* provide_signal_stack gives the thread a signal stack if it has none, since the fault may be an
 * overflow of the normal stack. Threads of Go have one; threads of C do not. */
static void provide_signal_stack(stack_t *old)
{
	static char stack[1 << 16];
	stack_t mine = {.ss_sp = stack, .ss_size = sizeof stack};
	sigaltstack(NULL, old);
	if (old->ss_flags & SS_DISABLE)
		sigaltstack(&mine, NULL);
}

CUresult guarded(CUresult (*work)(void *), void *argument)
{
	struct sigaction action;
	stack_t old;
	volatile CUresult r = CUDA_ERROR_ILLEGAL_ADDRESS;

	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_fault;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigfillset(&action.sa_mask);
	provide_signal_stack(&old);
	runner = pthread_self();
	int sig = sigsetjmp(landing, 1);
	if (sig == 0) {
		for (int i = 0; i < CAUGHT; i++)
			sigaction(caught[i], &action, &previous[i]);
		r = work(argument);
	} else {
		abandon_fibers();
		if (sig == SIGFPE || sig == SIGILL)
			r = CUDA_ERROR_LAUNCH_FAILED;
	}
	for (int i = 0; i < CAUGHT; i++)
		sigaction(caught[i], &previous[i], NULL);
	if (old.ss_flags & SS_DISABLE)
		sigaltstack(&old, NULL);
	return r;
}
