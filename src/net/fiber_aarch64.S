/* The context switch for aarch64. A new frame is 176 bytes below a 16-aligned top: x19 = function at 0,
 * x30 = fiber_entry at 88, fpcr at 160.
 *
 * void *fiber_switch(void **ret_sp, void *load_sp, void *arg): as for x86-64.
 * AAPCS64: x19-x30, d8-d15, fpcr */
        .macro  PAIR op
        \op     x19, x20, [sp, #0]
        \op     x21, x22, [sp, #16]
        \op     x23, x24, [sp, #32]
        \op     x25, x26, [sp, #48]
        \op     x27, x28, [sp, #64]
        \op     x29, x30, [sp, #80]
        \op     d8, d9, [sp, #96]
        \op     d10, d11, [sp, #112]
        \op     d12, d13, [sp, #128]
        \op     d14, d15, [sp, #144]
        .endm
        .text
        .globl  fiber_switch, fiber_entry
        .hidden fiber_switch, fiber_entry
        .type   fiber_switch, %function
        .type   fiber_entry, %function
        .p2align 4
fiber_switch:
        .cfi_startproc
        hint    #34                     /* bti c */
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        PAIR    stp
        mrs     x9, fpcr
        str     x9, [sp, #160]
        .irp    n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
        .cfi_offset \n, -176 + (\n - 19) * 8
        .endr
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        ldr     x9, [sp, #160]
        msr     fpcr, x9
        PAIR    ldp
        add     sp, sp, #176
        .cfi_def_cfa_offset 0
        mov     x0, x2
        ret                             /* not br: BTI exempts ret only */
        .cfi_endproc
        .size   fiber_switch, .-fiber_switch

        .p2align 4
fiber_entry:                            /* x19 = function, x0 = its argument */
        .cfi_startproc
        .cfi_undefined x30
        hint    #38                     /* bti jc */
        mov     x29, xzr
        mov     x30, xzr
        blr     x19
        brk     #0
        .cfi_endproc
        .size   fiber_entry, .-fiber_entry
        .section .note.GNU-stack, "", %progbits
