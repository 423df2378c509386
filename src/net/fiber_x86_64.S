/* The context switch for x86-64. A new frame, below a 16-aligned top, lowest address first:
 *
 *     [mxcsr, fcw] [r15 r14 r13 r12] [rbx = function] [rbp] [fiber_entry]
 *
 * void *fiber_switch(void **ret_sp, void *load_sp, void *arg): save the callee-saved state of the
 * SysV ABI, change stacks, return arg over there. The frame has one shape on both sides, so CFI holds. */
        .macro  SAVE r
        pushq   %\r
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %\r, 0
        .endm
        .macro  LOAD r
        popq    %\r
        .cfi_adjust_cfa_offset -8
        .cfi_restore %\r
        .endm
        .text
        .globl  fiber_switch, fiber_entry
        .hidden fiber_switch, fiber_entry
        .type   fiber_switch, @function
        .type   fiber_entry, @function
        .p2align 4
fiber_switch:
        .cfi_startproc
        endbr64
        SAVE    rbp
        SAVE    rbx
        SAVE    r12
        SAVE    r13
        SAVE    r14
        SAVE    r15
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        LOAD    r15
        LOAD    r14
        LOAD    r13
        LOAD    r12
        LOAD    rbx
        LOAD    rbp
        movq    %rdx, %rax
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        notrack jmpq *%rcx              /* not ret: the return predictor would miss every time */
        .cfi_endproc
        .size   fiber_switch, .-fiber_switch

        .p2align 4
fiber_entry:                            /* first switch lands here: rbx = function, rax = its argument */
        .cfi_startproc
        .cfi_undefined %rip             /* outermost frame: unwinders and gdb stop */
        endbr64
        xorl    %ebp, %ebp
        movq    %rax, %rdi
        callq   *%rbx
        ud2
        .cfi_endproc
        .size   fiber_entry, .-fiber_entry

        .section .note.GNU-stack, "", @progbits
        .section .note.gnu.property, "a", @note
        .p2align 3                      /* IBT, never SHSTK: the linker ANDs, so the program is not marked */
        .long   4, 16, 5
        .asciz  "GNU"
        .long   0xc0000002, 4, 1, 0
